-- Which (kind, gateway, minute) buckets there are raw rows for, minutes [from, until), over all raw tables that buckets are folded from. As
-- touched_minutes.sql, by event time instead of ingest time: a device whose clock is off touches the minutes that its events are moved to and
-- those that they are moved from.
SELECT Kind, GatewayId, arrayJoin(arrayDistinct([toStartOfMinute(toDateTime(TimeUnix, 'UTC')),
    toStartOfMinute(toDateTime(TimeUnix + toIntervalMillisecond(arrayFirst(m -> toUnixTimestamp64Milli(GatewayTime) >= m.1 AND toUnixTimestamp64Milli(GatewayTime) < m.2,
-- include asked_moves
    ).3), 'UTC'))])) AS Minute, count() AS Items
FROM (
    SELECT 'sums' AS Kind, GatewayId, DeviceId, GatewayTime, TimeUnix FROM otel_metrics_sum WHERE MetricName IN {sums:Array(String)}
    UNION ALL
    SELECT 'exponential', GatewayId, DeviceId, GatewayTime, TimeUnix FROM otel_metrics_exponential_histogram WHERE MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT 'explicit', GatewayId, DeviceId, GatewayTime, TimeUnix FROM otel_metrics_histogram WHERE MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT 'gauges', GatewayId, DeviceId, GatewayTime, TimeUnix FROM otel_metrics_gauge WHERE MetricName IN {gauges:Array(String)}
    UNION ALL
    SELECT 'spans', GatewayId, DeviceId, GatewayTime, Timestamp FROM otel_traces WHERE SpanName IN {spans:Array(String)}
    UNION ALL
    SELECT 'logs', GatewayId, DeviceId, GatewayTime, Timestamp FROM otel_logs WHERE EventName IN {events:Array(String)}
)
WHERE TimeUnix >= {from:DateTime('UTC')} - toIntervalSecond({margin:UInt32}) AND TimeUnix < {until:DateTime('UTC')} + toIntervalSecond({margin:UInt32})
    AND ({gateway:String} = '' OR GatewayId = {gateway:String})
GROUP BY Kind, GatewayId, Minute
HAVING Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')}
ORDER BY Kind, GatewayId, Minute
