-- p50, p95 and p99 of each model version, seconds, from merged buckets: within 0.54 % at scale 6, and `error` says how far off they can be.
-- param: since Duration = 1d  how far back
-- param: model Text =  only this model
WITH
    (SELECT min(Scale) FROM histogram_minutes
        WHERE Measure = 'edge.inference.duration' AND empty(Bounds) AND Minute >= now() - toIntervalSecond({since:UInt64})) AS coarse,
    (rank, zeros, counts, places) -> if(rank <= zeros, 0,
        exp2((places[arrayFirstIndex(c -> zeros + c >= rank, arrayCumSum(counts))] + 0.5) * exp2(-coarse))) AS at_rank
SELECT service, model, version, total AS requests, at_rank(0.50 * total, zeros, merged.2, merged.1) AS p50_s,
    at_rank(0.95 * total, zeros, merged.2, merged.1) AS p95_s, at_rank(0.99 * total, zeros, merged.2, merged.1) AS p99_s,
    exp2(0.5 * exp2(-coarse)) - 1 AS error
FROM (
    SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, sum(Zero) AS zeros,
        sumMap(arrayMap(k -> toInt32(floor(k / exp2(Scale - coarse))), mapKeys(Buckets)), mapValues(Buckets)) AS merged,
        zeros + arraySum(merged.2) AS total
    FROM histogram_minutes FINAL
    WHERE Measure = 'edge.inference.duration' AND empty(Bounds) AND Minute >= now() - toIntervalSecond({since:UInt64})
        AND ({model:String} = '' OR ModelName = {model:String})
    GROUP BY service, model, version
)
WHERE total > 0
ORDER BY service, model, version
