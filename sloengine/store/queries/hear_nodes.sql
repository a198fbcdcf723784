-- When nodes were heard, from everything that came in during an interval of ingest time. Only maxima and minima: overlap does no harm.
-- Deliveries of gateways in quarantine are no word of a node.
INSERT INTO node_minutes (DeviceId, GatewayId, Region, ServiceName, Minute, LastReceived, LastEvent, LagMin, LagMax, ClockMin)
SELECT DeviceId, GatewayId, Region, ServiceName, toStartOfMinute(toDateTime(Received, 'UTC')) AS Minute,
    max(Received), max(Event), min(Lag), max(Lag), min(Clock)
FROM (
    SELECT DeviceId, GatewayId, Region, ServiceName, least(GatewayTime, IngestTime) AS Received, toDateTime64(TimeUnix, 3, 'UTC') AS Event,
        dateDiff('millisecond', TimeUnix, GatewayTime) / 1000 AS Lag, IngestTime,
        toInt64OrZero(ResourceAttributes['edge.clock.sent_unix_nano']) AS Sent,
        if(Sent = 0, inf, (toUnixTimestamp64Milli(GatewayTime) - intDiv(Sent, 1000000)) / 1000) AS Clock
    FROM otel_metrics_sum
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')} AND DeviceId != ''
    UNION ALL
    SELECT DeviceId, GatewayId, Region, ServiceName, least(GatewayTime, IngestTime), toDateTime64(TimeUnix, 3, 'UTC'),
        dateDiff('millisecond', TimeUnix, GatewayTime) / 1000, IngestTime, toInt64OrZero(ResourceAttributes['edge.clock.sent_unix_nano']) AS Sent,
        if(Sent = 0, inf, (toUnixTimestamp64Milli(GatewayTime) - intDiv(Sent, 1000000)) / 1000)
    FROM otel_metrics_gauge
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')} AND DeviceId != ''
) AS p
WHERE NOT arrayExists(q -> q.1 = p.GatewayId AND p.IngestTime >= q.2 AND p.IngestTime < q.3,
    {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))})
GROUP BY DeviceId, GatewayId, Region, ServiceName, Minute
