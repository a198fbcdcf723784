-- Raw bytes over uploaded bytes per node: a high ratio is good only while accuracy and drift stay as they are.
-- param: since Duration = 1d  how far back
-- param: top Integer = 50  how many nodes, the least reduced first
WITH
    series AS (
        SELECT DeviceId, Region, MetricName, SeriesId, StartTimeUnix,
            max(Value) - if(StartTimeUnix >= now() - toIntervalSecond({since:UInt64}), 0, min(Value)) AS bytes
        FROM otel_metrics_sum
        WHERE MetricName IN ('edge.data.raw', 'edge.data.sent') AND AggregationTemporality = 2 AND TimeUnix >= now() - toIntervalSecond({since:UInt64})
        GROUP BY DeviceId, Region, MetricName, SeriesId, StartTimeUnix
    )
SELECT DeviceId AS device, Region AS region, sumIf(bytes, MetricName = 'edge.data.raw') AS raw_bytes, sumIf(bytes, MetricName = 'edge.data.sent') AS sent_bytes,
    raw_bytes / nullIf(sent_bytes, 0) AS reduction
FROM series
GROUP BY device, region
ORDER BY reduction ASC NULLS LAST, device
LIMIT {top:UInt64}
