-- Which (kind, gateway, minute) buckets were touched by what came in during an interval of ingest time, over all raw tables that buckets
-- are folded from. The minmax index on IngestTime keeps this to the newest parts, however old the events are.
-- Events of a time that can't be (1970, 2100) are left alone: they would be rolled up into minutes that nobody asks for.
-- How many rows came in tells how many buckets one statement may recompute in bounded memory.
-- A device whose clock is, or was, known to be off touches the minutes that its events may be moved to, and those that they are moved from:
-- when an offset turns out to have ended, what came in since is moved back.
-- A device that was heard through several gateways touches the buckets of all of them: what one of them counts depends on what the others had.
SELECT Kind,
    arrayJoin(if(empty({devices:Array(String)}) OR DeviceId NOT IN {devices:Array(String)}, [toString(p.GatewayId)], {homes:Array(Array(String))}[transform(DeviceId,
        {devices:Array(String)}, arrayEnumerate({devices:Array(String)}), 0)])) AS GatewayId,
    arrayJoin(if(empty({skewed:Array(String)}), [toStartOfMinute(toDateTime(TimeUnix, 'UTC'))],
        arrayMap(ms -> toStartOfMinute(toDateTime(TimeUnix + toIntervalMillisecond(ms), 'UTC')), arrayConcat([toInt64(0)], arrayMap(m -> m.3,
-- include asked_moves
        ))))) AS Minute, count() AS Items
FROM (
    SELECT 'sums' AS Kind, GatewayId, DeviceId, GatewayTime, IngestTime, TimeUnix FROM otel_metrics_sum WHERE MetricName IN {sums:Array(String)}
    UNION ALL
    SELECT 'exponential', GatewayId, DeviceId, GatewayTime, IngestTime, TimeUnix FROM otel_metrics_exponential_histogram WHERE MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT 'explicit', GatewayId, DeviceId, GatewayTime, IngestTime, TimeUnix FROM otel_metrics_histogram WHERE MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT 'gauges', GatewayId, DeviceId, GatewayTime, IngestTime, TimeUnix FROM otel_metrics_gauge WHERE MetricName IN {gauges:Array(String)}
    UNION ALL
    SELECT 'spans', GatewayId, DeviceId, GatewayTime, IngestTime, Timestamp FROM otel_traces WHERE SpanName IN {spans:Array(String)}
    UNION ALL
    SELECT 'logs', GatewayId, DeviceId, GatewayTime, IngestTime, Timestamp FROM otel_logs WHERE EventName IN {events:Array(String)}
) AS p
WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
    AND TimeUnix >= {oldest:DateTime64(3, 'UTC')} AND TimeUnix < {newest:DateTime64(3, 'UTC')}
    AND (NOT {some:Bool} OR DeviceId IN {some_devices:Array(String)} OR p.GatewayId IN {some_gateways:Array(String)})
GROUP BY Kind, GatewayId, Minute
ORDER BY Kind, GatewayId, Minute
