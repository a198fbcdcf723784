-- What a look said of each series by name: those that drift, and those that would have been seen to.
SELECT s.Level AS Level, s.ModelName AS ModelName, s.ModelVersion AS ModelVersion, s.Region AS Region, s.DeviceId AS DeviceId, s.Segment AS Segment,
    s.Value AS Value, v.SeriesId AS SeriesId, v.Verdict AS Verdict, v.Effect AS Effect, v.P AS P, v.N AS N
FROM (
    SELECT SeriesId, Verdict, Effect, P, N FROM drift_verdicts FINAL
    WHERE Monitor = {monitor:String} AND WindowEnd = {end:DateTime('UTC')} AND WindowHours = {hours:UInt16}
        AND Verdict IN ('drift', 'slow_drift', 'no_drift')
) AS v
INNER JOIN (SELECT * FROM drift_series FINAL WHERE Monitor = {monitor:String}) AS s ON s.SeriesId = v.SeriesId
