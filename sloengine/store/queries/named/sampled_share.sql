-- How much of what spans say is estimated: spans kept, requests they stand for, and how many independent ones that is worth.
-- param: since Duration = 1d  how far back
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, SpanName AS span, count() AS spans,
    countIf(AdjustedCount IS NULL) AS of_unknown_weight, countIf(AdjustedCount > 1) / count() AS sampled_share,
    sum(AdjustedCount) AS requests_estimated, pow(sum(AdjustedCount), 2) / nullIf(sum(AdjustedCount * AdjustedCount), 0) AS effective, max(AdjustedCount) AS heaviest
FROM (SELECT DISTINCT GatewayId, TraceId, SpanId, ServiceName, ModelName, ModelVersion, SpanName, AdjustedCount FROM otel_traces
    WHERE Timestamp >= now() - toIntervalSecond({since:UInt64}))
GROUP BY service, model, version, span
ORDER BY service, model, version, span
