-- p95 and p99 by model from exponential buckets: bucket i of scale s holds (2^(i*2^-s), 2^((i+1)*2^-s)] seconds. Buckets of all rows are
-- brought to the coarsest scale in the range (i of scale s is floor(i / 2^(s-c)) of scale c), added, and the quantile taken last: as
-- its bucket's geometric middle, within 0.54 % at scale 6. Quantiles are never averaged. Weights may be fractions: ranks are too.
WITH
    (SELECT min(Scale) FROM histogram_minutes
        WHERE Measure = 'edge.inference.duration' AND empty(Bounds) AND $__timeFilter(Minute)) AS coarse,
    (rank, zeros, counts, places) -> if(rank <= zeros, 0,
        exp2((places[arrayFirstIndex(c -> zeros + c >= rank, arrayCumSum(counts))] + 0.5) * exp2(-coarse))) AS at_rank
SELECT time, model,
    at_rank(0.95 * total, zeros, merged.2, merged.1) AS p95,
    at_rank(0.99 * total, zeros, merged.2, merged.1) AS p99
FROM (
    SELECT $__timeInterval(Minute) AS time, concat(ModelName, ' ', ModelVersion) AS model, sum(Zero) AS zeros,
        sumMap(arrayMap(k -> toInt32(floor(k / exp2(Scale - coarse))), mapKeys(Buckets)), mapValues(Buckets)) AS merged,
        zeros + arraySum(merged.2) AS total
    FROM histogram_minutes FINAL
    WHERE Measure = 'edge.inference.duration' AND empty(Bounds) AND $__timeFilter(Minute)
        AND $__conditionalAll(Region IN (${region:singlequote}), $region)
        AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
        AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
    GROUP BY time, model
)
WHERE total > 0
ORDER BY time, model
SETTINGS do_not_merge_across_partitions_select_final = 1
