-- Of series of devices that nothing came of in hours [lo, hi) the series above them, with how many devices each lacks. A device that was heard under
-- another version or in another region is not silent.
SELECT arrayJoin([sipHash64({monitor:String}, 'model', ModelName), sipHash64({monitor:String}, 'version', ModelName, ModelVersion),
    sipHash64({monitor:String}, 'region', ModelName, ModelVersion, Region)]) AS Above, uniqExact(DeviceId) AS Silent
FROM drift_series
WHERE Monitor = {monitor:String} AND Level = 'device' AND SeriesId IN {ids:Array(UInt64)} AND DeviceId NOT IN (
    SELECT DeviceId FROM histogram_hours
    WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
    UNION ALL
    SELECT DeviceId FROM count_hours
    WHERE {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
)
GROUP BY Above
ORDER BY Above
