-- The oldest minute of gateway time among what came in: freshness slices from there on may change.
SELECT min(least(GatewayTime, IngestTime)) AS Oldest, count() AS Points
FROM otel_metrics_sum
WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')} AND DeviceId != ''
