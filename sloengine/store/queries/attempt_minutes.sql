-- An attempt changes the bucket of its request, which is the first attempt's minute, and the one it was in before an earlier attempt came: the
-- minutes of all attempts, an hour around, of the requests that have one in a range.
WITH attempts AS (
    SELECT GatewayId, SpanName, Timestamp, SpanAttributes[f.5] AS Request
    FROM otel_traces
    ARRAY JOIN arrayFilter(f -> f.5 != '' AND f.6 = SpanName,
        {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}) AS f
    WHERE GatewayId IN {gateways:Array(String)} AND SpanName IN {names:Array(String)}
        AND Timestamp >= {lo:DateTime('UTC')} - toIntervalHour(1) AND Timestamp < {hi:DateTime('UTC')} + toIntervalHour(1)
)
SELECT GatewayId, groupUniqArray(toStartOfMinute(toDateTime(Timestamp, 'UTC'))) AS Minutes
FROM attempts
WHERE Request != '' AND (GatewayId, Request) IN (
    SELECT GatewayId, Request FROM attempts WHERE Timestamp >= {lo:DateTime('UTC')} AND Timestamp < {hi:DateTime('UTC')}
)
GROUP BY GatewayId
