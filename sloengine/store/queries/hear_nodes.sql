-- When nodes were heard, from everything that came in during an interval of ingest time. Only maxima and minima: overlap does no harm.
INSERT INTO node_minutes (DeviceId, GatewayId, Region, ServiceName, Minute, LastReceived, LastEvent, LagMin, LagMax)
SELECT DeviceId, GatewayId, Region, ServiceName, toStartOfMinute(toDateTime(Received, 'UTC')) AS Minute,
    max(Received), max(Event), min(Lag), max(Lag)
FROM (
    SELECT DeviceId, GatewayId, Region, ServiceName, least(GatewayTime, IngestTime) AS Received, toDateTime64(TimeUnix, 3, 'UTC') AS Event,
        dateDiff('millisecond', TimeUnix, GatewayTime) / 1000 AS Lag
    FROM otel_metrics_sum
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')} AND DeviceId != ''
    UNION ALL
    SELECT DeviceId, GatewayId, Region, ServiceName, least(GatewayTime, IngestTime), toDateTime64(TimeUnix, 3, 'UTC'),
        dateDiff('millisecond', TimeUnix, GatewayTime) / 1000
    FROM otel_metrics_gauge
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')} AND DeviceId != ''
)
GROUP BY DeviceId, GatewayId, Region, ServiceName, Minute
