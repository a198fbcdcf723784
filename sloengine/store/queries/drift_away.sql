-- Since when the series that something names have been away from normal without a break: where the first window of these begins.
SELECT min(WindowEnd) - toIntervalHour({hours:UInt16}) AS Began, count() AS Windows
FROM (
    SELECT *, maxIf(WindowEnd, Verdict NOT IN ('drift', 'suspected', 'slow_drift')) OVER (PARTITION BY SeriesId) AS Calm
    FROM drift_by_series
    WHERE Monitor = {monitor:String} AND WindowHours = {hours:UInt16} AND WindowEnd <= {end:DateTime('UTC')} AND WindowEnd > {oldest:DateTime('UTC')}
        AND ModelName = {model:String} AND Level = {level:String} AND (empty({versions:Array(String)}) OR ModelVersion IN {versions:Array(String)})
        AND Region = {region:String} AND DeviceId = {device:String} AND Segment = {segment:String} AND Value = {value:String}
)
WHERE WindowEnd > Calm
