-- What came in too late to be counted: older than 39 days, where no bucket is counted again because its raw rows are going. Raw tables keep it for
-- a day; sloengine_rollup_left_out_total counts it for good.
-- param: since Duration = 1d  how far back, by when it came in
-- param: top Integer = 50  how many lines
SELECT signal, name, gateway, device, count() AS items, min(at) AS oldest, max(at) AS newest, max(came) AS last_came
FROM (
    SELECT 'traces' AS signal, toString(SpanName) AS name, GatewayId AS gateway, DeviceId AS device, Timestamp AS at, IngestTime AS came
    FROM otel_traces
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND Timestamp < IngestTime - toIntervalDay(39)
    UNION ALL
    SELECT 'logs', toString(EventName), GatewayId, DeviceId, Timestamp, IngestTime
    FROM otel_logs
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND Timestamp < IngestTime - toIntervalDay(39)
    UNION ALL
    SELECT 'metrics', toString(MetricName), GatewayId, DeviceId, TimeUnix, IngestTime
    FROM otel_metrics_sum
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND TimeUnix < IngestTime - toIntervalDay(39)
    UNION ALL
    SELECT 'metrics', toString(MetricName), GatewayId, DeviceId, TimeUnix, IngestTime
    FROM otel_metrics_gauge
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND TimeUnix < IngestTime - toIntervalDay(39)
    UNION ALL
    SELECT 'metrics', toString(MetricName), GatewayId, DeviceId, TimeUnix, IngestTime
    FROM otel_metrics_histogram
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND TimeUnix < IngestTime - toIntervalDay(39)
    UNION ALL
    SELECT 'metrics', toString(MetricName), GatewayId, DeviceId, TimeUnix, IngestTime
    FROM otel_metrics_exponential_histogram
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND TimeUnix < IngestTime - toIntervalDay(39)
    UNION ALL
    SELECT 'metrics', toString(MetricName), GatewayId, DeviceId, TimeUnix, IngestTime
    FROM otel_metrics_summary
    WHERE IngestTime >= now() - toIntervalSecond({since:UInt64}) AND TimeUnix < IngestTime - toIntervalDay(39)
)
GROUP BY signal, name, gateway, device
ORDER BY items DESC, signal, name, gateway, device
LIMIT {top:UInt64}
