-- Spans as stored, which is a sample: with a known weight, and of unknown weight (AdjustedCount is NULL, never taken for 1).
-- represented is how many spans those of known weight stand for.
SELECT $__timeInterval(Timestamp) AS time, countIf(AdjustedCount IS NOT NULL) AS known_weight,
    countIf(AdjustedCount IS NULL) AS unknown_weight, ifNull(sum(AdjustedCount), 0) AS represented
FROM otel_traces
WHERE $__timeFilter(Timestamp) AND SpanName = 'edge.inference'
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY time
ORDER BY time
