-- Hours [lo, hi) of one metric of part of a fleet.
WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
    AND (empty({models:Array(String)}) OR ModelName IN {models:Array(String)}) AND (empty({own_versions:Array(String)}) OR ModelVersion IN {own_versions:Array(String)})
    AND (empty({regions:Array(String)}) OR Region IN {regions:Array(String)}) AND (empty({devices:Array(String)}) OR DeviceId IN {devices:Array(String)})
    AND ({segment:String} = '' OR JSONExtractString(Attributes, {segment:String}) = {value:String})
