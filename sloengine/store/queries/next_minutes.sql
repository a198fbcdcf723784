-- A cumulative point changes its own bucket and that of the next point of its series, whose increase is counted from it; a gauge's point, and
-- coverage, the next one's share of time. For some gateways and a range: the minutes of those next points beyond the range, looking
-- `reach` seconds far, and how many cumulative series have none there yet.
WITH ahead AS (
    SELECT GatewayId, any(DeviceId) AS Device, minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}) AS Next, true AS Ends
    FROM otel_metrics_sum
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {sums:Array(String)} AND AggregationTemporality = 2
        AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({reach:UInt32})
        AND (TimeUnix < {hi:DateTime('UTC')} OR NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))}))
    GROUP BY GatewayId, SeriesId, StartTimeUnix
    HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
    UNION ALL
    SELECT GatewayId, any(DeviceId) AS Device, minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}), true
    FROM otel_metrics_exponential_histogram
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {histograms:Array(String)} AND AggregationTemporality = 2
        AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({reach:UInt32})
        AND (TimeUnix < {hi:DateTime('UTC')} OR NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))}))
    GROUP BY GatewayId, SeriesId, StartTimeUnix
    HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
    UNION ALL
    SELECT GatewayId, any(DeviceId) AS Device, minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}), true
    FROM otel_metrics_histogram
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {histograms:Array(String)} AND AggregationTemporality = 2
        AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({reach:UInt32})
        AND (TimeUnix < {hi:DateTime('UTC')} OR NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))}))
    GROUP BY GatewayId, SeriesId, StartTimeUnix
    HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
    UNION ALL
    SELECT GatewayId, any(DeviceId) AS Device, minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}), false
    FROM otel_metrics_sum
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {sums:Array(String)} AND MetricName = 'edge.inference.requests'
        AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalHour(1)
        AND (TimeUnix < {hi:DateTime('UTC')} OR NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))}))
    GROUP BY GatewayId, ServiceName, Region, DeviceId
    HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
    UNION ALL
    SELECT GatewayId, any(DeviceId) AS Device, minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}), false
    FROM otel_metrics_gauge
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {gauges:Array(String)}
        AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalHour(1)
        AND (TimeUnix < {hi:DateTime('UTC')} OR NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))}))
    GROUP BY GatewayId, SeriesId
    HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
)
-- Where a device's clock is, or was, known to be off: also the minutes that they are moved to.
SELECT GatewayId, groupUniqArrayArrayIf(arrayMap(ms -> toStartOfMinute(toDateTime(Next + toIntervalMillisecond(ms), 'UTC')),
    arrayConcat([toInt64(0)], arrayMap(s -> s.4, arrayFilter(s -> s.1 = Device, {skew:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC'), Int64))})))), toUnixTimestamp64Nano(Next) != 0) AS Minutes,
    countIf(Ends AND toUnixTimestamp64Nano(Next) = 0) AS Open
FROM ahead
GROUP BY GatewayId
