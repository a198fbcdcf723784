-- Histograms of one metric of part of a fleet, of hours [lo, hi), as they were folded: by device, segments and grid.
SELECT Hour, toString(Measure) AS Metric, toString(ServiceName) AS ServiceName, toString(ModelName) AS ModelName, toString(ModelVersion) AS ModelVersion,
    toString(Region) AS Region, toString(DeviceId) AS DeviceId, toString(Attributes) AS Attributes, Scale, Bounds, Zero, First, Counts, NegativeFirst, Negatives
FROM histogram_hours FINAL
WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
    AND (empty({models:Array(String)}) OR ModelName IN {models:Array(String)}) AND (empty({own_versions:Array(String)}) OR ModelVersion IN {own_versions:Array(String)})
    AND (empty({regions:Array(String)}) OR Region IN {regions:Array(String)}) AND (empty({devices:Array(String)}) OR DeviceId IN {devices:Array(String)})
    AND ({segment:String} = '' OR JSONExtractString(Attributes, {segment:String}) = {value:String})
ORDER BY Hour, DeviceId, ModelVersion, Attributes
SETTINGS do_not_merge_across_partitions_select_final = 1
