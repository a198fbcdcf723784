-- Requests that waited for a model load, per node: many mean that models are evicted or devices restart.
-- param: since Duration = 1d  how far back
-- param: top Integer = 20  how many nodes
WITH
    series AS (
        SELECT DeviceId, Region, ModelName, MetricName, SeriesId, StartTimeUnix,
            max(Value) - if(StartTimeUnix >= now() - toIntervalSecond({since:UInt64}), 0, min(Value)) AS events
        FROM otel_metrics_sum
        WHERE MetricName IN ('edge.inference.cold_starts', 'edge.inference.requests') AND AggregationTemporality = 2
            AND TimeUnix >= now() - toIntervalSecond({since:UInt64})
        GROUP BY DeviceId, Region, ModelName, MetricName, SeriesId, StartTimeUnix
    )
SELECT DeviceId AS device, Region AS region, ModelName AS model, sumIf(events, MetricName = 'edge.inference.cold_starts') AS cold,
    sumIf(events, MetricName = 'edge.inference.requests') AS requests, cold / nullIf(requests, 0) AS cold_rate, uniqExact(StartTimeUnix) AS starts
FROM series
GROUP BY device, region, model
HAVING cold > 0
ORDER BY cold DESC, device, model
LIMIT {top:UInt64}
