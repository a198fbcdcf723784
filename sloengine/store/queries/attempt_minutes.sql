-- An attempt changes the bucket of its request, which is the first attempt's minute and gateway, and the one it was in before an earlier attempt
-- came: the minutes of all attempts, an hour around, of the requests that have one in a range; and those that a wrong clock's attempts are moved to.
WITH attempts AS (
    SELECT p.GatewayId AS GatewayId, p.DeviceId AS DeviceId, p.Timestamp AS At, tuple(if(p.DeviceId = '', p.GatewayId, ''), p.ServiceName, p.DeviceId,
        p.SpanAttributes[f.5]) AS Request
    FROM otel_traces AS p
    ARRAY JOIN arrayFilter(f -> f.5 != '' AND f.6 = p.SpanName,
        {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}) AS f
    WHERE
-- include asked_gateways
        AND p.SpanName IN {names:Array(String)}
        AND p.Timestamp >= {lo:DateTime('UTC')} - toIntervalHour(1) AND p.Timestamp < {hi:DateTime('UTC')} + toIntervalHour(1)
)
SELECT GatewayId, groupUniqArrayArray(arrayMap(ms -> toStartOfMinute(toDateTime(At + toIntervalMillisecond(ms), 'UTC')),
    arrayConcat([toInt64(0)], arrayMap(m -> m.3,
-- include asked_moves
    )))) AS Minutes
FROM attempts
WHERE Request.4 != '' AND Request IN (
    SELECT Request FROM attempts WHERE At >= {lo:DateTime('UTC')} AND At < {hi:DateTime('UTC')}
)
GROUP BY GatewayId
