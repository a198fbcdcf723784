-- An attempt changes the bucket of its request, which is the first attempt's minute, and the one it was in before an earlier attempt came: the
-- minutes of all attempts, an hour around, of the requests that have one in a range; and those that a wrong clock's attempts are moved to.
WITH attempts AS (
    SELECT GatewayId, DeviceId, SpanName, Timestamp, SpanAttributes[f.5] AS Request
    FROM otel_traces
    ARRAY JOIN arrayFilter(f -> f.5 != '' AND f.6 = SpanName,
        {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}) AS f
    WHERE GatewayId IN {gateways:Array(String)} AND SpanName IN {names:Array(String)}
        AND Timestamp >= {lo:DateTime('UTC')} - toIntervalHour(1) AND Timestamp < {hi:DateTime('UTC')} + toIntervalHour(1)
)
SELECT GatewayId, groupUniqArrayArray(arrayMap(ms -> toStartOfMinute(toDateTime(Timestamp + toIntervalMillisecond(ms), 'UTC')),
    arrayConcat([toInt64(0)], arrayMap(s -> s.4, arrayFilter(s -> s.1 = DeviceId, {skew:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC'), Int64))}))))) AS Minutes
FROM attempts
WHERE Request != '' AND (GatewayId, Request) IN (
    SELECT GatewayId, Request FROM attempts WHERE Timestamp >= {lo:DateTime('UTC')} AND Timestamp < {hi:DateTime('UTC')}
)
GROUP BY GatewayId
