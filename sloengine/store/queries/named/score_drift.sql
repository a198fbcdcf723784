-- How far the scores of one model version are from another's, per region: PSI and KS beside what chance alone would make of them. A PSI near
-- psi_by_chance says nothing, however large it is.
-- param: model Text  the model
-- param: version Text  the version that may have drifted
-- param: against Text  the version that it is compared with
-- param: since Duration = 7d  how far back
SELECT region, arraySum(now_counts) AS events, arraySum(then_counts) AS against_events, sloengine_psi(then_counts, now_counts) AS psi,
    sloengine_psi_noise(then_counts, now_counts) AS psi_by_chance, sloengine_ks(then_counts, now_counts) AS ks,
    sloengine_ks_p(ks, events, against_events) AS ks_p, sloengine_js_distance(then_counts, now_counts) AS js_distance
FROM (
    SELECT Region AS region, Bounds AS bounds,
        sloengine_counts(sumMapIf(Buckets, ModelVersion = {version:String}), bounds) AS now_counts,
        sloengine_counts(sumMapIf(Buckets, ModelVersion = {against:String}), bounds) AS then_counts
    FROM histogram_minutes FINAL
    WHERE Measure = 'edge.inference.score' AND notEmpty(Bounds) AND ModelName = {model:String} AND ModelVersion IN ({version:String}, {against:String})
        AND Minute >= now() - toIntervalSecond({since:UInt64})
    GROUP BY region, bounds
)
ORDER BY psi DESC NULLS LAST, region
