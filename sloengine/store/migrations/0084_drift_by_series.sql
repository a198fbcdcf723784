-- Every verdict with the names of its series: what people query. One row for each series and look.
CREATE VIEW IF NOT EXISTS drift_by_series AS
SELECT v.Monitor AS Monitor, v.WindowEnd AS WindowEnd, v.WindowHours AS WindowHours, s.Level AS Level, s.ServiceName AS ServiceName,
    s.ModelName AS ModelName, s.ModelVersion AS ModelVersion, s.Region AS Region, s.DeviceId AS DeviceId, s.Segment AS Segment, s.Value AS Value,
    v.Verdict AS Verdict, v.N AS N, v.M AS M, v.Psi AS Psi, v.Ks AS Ks, v.Js AS Js, v.Wasserstein AS Wasserstein, v.Hellinger AS Hellinger,
    v.Chi2 AS Chi2, v.KsError AS KsError, v.Effect AS Effect, v.P AS P, v.Q AS Q, v.Inflation AS Inflation, v.SmallestPsi AS SmallestPsi,
    v.Below AS Below, v.Above AS Above, v.Unplaced AS Unplaced, v.Bins AS Bins, v.Cusum AS Cusum, v.CusumLooks AS CusumLooks,
    v.BaselineVersion AS BaselineVersion, v.SeriesId AS SeriesId
FROM (SELECT * FROM drift_verdicts FINAL) AS v
LEFT ANY JOIN (SELECT * FROM drift_series FINAL) AS s ON v.Monitor = s.Monitor AND v.SeriesId = s.SeriesId
