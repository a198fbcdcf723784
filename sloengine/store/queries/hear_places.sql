-- Where devices were heard, from everything that came in during an interval of ingest time. Gateways in quarantine are told of, too: one may
-- be lifted. Times that can't be say nothing.
INSERT INTO device_places (DeviceId, GatewayId, First, Last)
SELECT DeviceId, GatewayId, min(toDateTime(At, 'UTC')), max(toDateTime(At, 'UTC'))
FROM (
    SELECT DeviceId, GatewayId, IngestTime, TimeUnix AS At FROM otel_metrics_sum
    UNION ALL
    SELECT DeviceId, GatewayId, IngestTime, TimeUnix FROM otel_metrics_gauge
    UNION ALL
    SELECT DeviceId, GatewayId, IngestTime, TimeUnix FROM otel_metrics_histogram
    UNION ALL
    SELECT DeviceId, GatewayId, IngestTime, TimeUnix FROM otel_metrics_exponential_histogram
    UNION ALL
    SELECT DeviceId, GatewayId, IngestTime, Timestamp FROM otel_traces
    UNION ALL
    SELECT DeviceId, GatewayId, IngestTime, Timestamp FROM otel_logs
)
WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')} AND DeviceId != ''
    AND At >= {oldest:DateTime64(3, 'UTC')} AND At < {newest:DateTime64(3, 'UTC')}
GROUP BY DeviceId, GatewayId
