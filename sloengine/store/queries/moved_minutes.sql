-- Some gateways and a range: the minutes that points of devices whose clock is, or was, known to be off are moved to. The next point of a series
-- may lie in the range as its device dates it, and behind it as it is counted.
SELECT GatewayId, groupUniqArrayArray(arrayMap(s -> toStartOfMinute(toDateTime(TimeUnix + toIntervalMillisecond(s.4), 'UTC')),
    arrayFilter(s -> s.1 = DeviceId, {skew:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC'), Int64))}))) AS Minutes
FROM (
    SELECT GatewayId, DeviceId, TimeUnix FROM otel_metrics_sum WHERE MetricName IN {sums:Array(String)}
    UNION ALL
    SELECT GatewayId, DeviceId, TimeUnix FROM otel_metrics_exponential_histogram WHERE MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT GatewayId, DeviceId, TimeUnix FROM otel_metrics_histogram WHERE MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT GatewayId, DeviceId, TimeUnix FROM otel_metrics_gauge WHERE MetricName IN {gauges:Array(String)}
)
WHERE GatewayId IN {gateways:Array(String)} AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
    AND DeviceId IN arrayMap(s -> s.1, {skew:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC'), Int64))})
GROUP BY GatewayId
