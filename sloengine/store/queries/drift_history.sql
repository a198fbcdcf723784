-- What looks said of one series, the oldest first.
SELECT WindowEnd, Verdict, Psi, Ks, Js, Wasserstein, Hellinger, Effect, P, Q, N, M, SmallestPsi, Inflation, Cusum, CusumLooks, BaselineVersion
FROM drift_by_series
WHERE Monitor = {monitor:String} AND WindowEnd > {since:DateTime('UTC')} AND WindowEnd <= {end:DateTime('UTC')} AND Level = {level:String}
    AND ModelName = {model:String} AND ModelVersion = {version:String} AND Region = {region:String} AND DeviceId = {device:String}
    AND Segment = {segment:String} AND Value = {value:String}
ORDER BY WindowEnd
