-- How far the scores of a model were from their baseline, look by look: every series of a level, with what chance alone makes of it.
-- param: monitor Text  the drift monitor
-- param: level Text = version  model, version, region, device or segment
-- param: since Duration = 7d  how far back
SELECT WindowEnd AS looked_until, ModelName AS model, ModelVersion AS version, Region AS region, DeviceId AS device, Segment AS segment,
    Value AS value, Verdict AS verdict, Psi AS psi, Ks AS ks, Effect AS effect_beyond_chance, Q AS q, N AS events, SmallestPsi AS psi_that_would_be_seen
FROM drift_by_series
WHERE Monitor = {monitor:String} AND Level = {level:String} AND WindowEnd >= now() - toIntervalSecond({since:UInt64})
ORDER BY looked_until, model, version, region, device, segment, value
