-- Counts of classes in hours [lo, hi), as drift_leaves.sql gives histograms: the first bin holds what is none of the labels, the others one each.
SELECT any(Model), any(Version), any(Place), Device, any(Peers), Segments, any(SegmentPeers), sumForEach(Dense)
FROM (
    SELECT transform(concat(ModelName, '\n', ModelVersion), {versions:Array(String)}, {stand_for:Array(String)}, ModelVersion) AS V,
-- include drift_ids
            , arrayMap(i -> if(i = indexOf({labels:Array(String)}, JSONExtractString(Attributes, {class:String})), Events, 0.), range(length({labels:Array(String)}) + 1)) AS Dense
    FROM count_hours FINAL
    WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
        AND (empty({versions:Array(String)}) OR concat(ModelName, '\n', ModelVersion) IN {versions:Array(String)}) AND Device % {blocks:UInt32} = {block:UInt32}
        AND (empty({models:Array(String)}) OR ModelName IN {models:Array(String)}) AND (empty({own_versions:Array(String)}) OR ModelVersion IN {own_versions:Array(String)})
        AND (empty({regions:Array(String)}) OR Region IN {regions:Array(String)}) AND (empty({devices:Array(String)}) OR DeviceId IN {devices:Array(String)})
        AND ({segment:String} = '' OR JSONExtractString(Attributes, {segment:String}) = {value:String})
)
GROUP BY Device, Segments
SETTINGS do_not_merge_across_partitions_select_final = 1
