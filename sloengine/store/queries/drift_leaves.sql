-- Histograms of one grid in hours [lo, hi), one row for each device and combination of segments of one block of devices; buckets from the farthest
-- negative one over zero to the farthest positive one, all rows alike. Versions may stand for others: for those that a baseline is made for.
SELECT any(Model), any(Version), any(Place), Device, any(Peers), Segments, any(SegmentPeers), sumForEach(Dense)
FROM (
    SELECT transform(concat(ModelName, '\n', ModelVersion), {versions:Array(String)}, {stand_for:Array(String)}, ModelVersion) AS V,
-- include drift_ids
            , if(notEmpty(Bounds), Counts, arrayConcat(
                arrayReverse(arrayResize(arrayConcat(arrayWithConstant(greatest(0, NegativeFirst - {near:Int32}), 0.), Negatives), toUInt32({far:Int32} - {near:Int32} + 1))),
                [Zero],
                arrayResize(arrayConcat(arrayWithConstant(if(empty(Counts), 0, First - {low:Int32}), 0.), Counts), toUInt32({high:Int32} - {low:Int32} + 1)))) AS Dense
    FROM histogram_hours FINAL
    WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
        AND Scale = {scale:Int8} AND Bounds = {bounds:Array(Float64)} AND (empty({versions:Array(String)}) OR concat(ModelName, '\n', ModelVersion) IN {versions:Array(String)})
        AND Device % {blocks:UInt32} = {block:UInt32}
        AND (empty({models:Array(String)}) OR ModelName IN {models:Array(String)}) AND (empty({own_versions:Array(String)}) OR ModelVersion IN {own_versions:Array(String)})
        AND (empty({regions:Array(String)}) OR Region IN {regions:Array(String)}) AND (empty({devices:Array(String)}) OR DeviceId IN {devices:Array(String)})
        AND ({segment:String} = '' OR JSONExtractString(Attributes, {segment:String}) = {value:String})
)
GROUP BY Device, Segments
SETTINGS do_not_merge_across_partitions_select_final = 1
