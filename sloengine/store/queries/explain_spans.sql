-- The raw spans of one bucket, each once however often it was delivered, and how many requests each stands for.
SELECT TraceId AS trace, SpanId AS span, any(p.DeviceId) AS device, any(p.Timestamp) AS time, any(p.Duration) / 1e9 AS seconds, any(p.StatusCode) AS status,
    any(p.TraceState) AS tracestate, min(p.AdjustedCount) AS weight, count() AS delivered
FROM otel_traces AS p
WHERE p.SpanName = {name:String} AND p.Timestamp >= {lo:DateTime('UTC')} AND p.Timestamp < {hi:DateTime('UTC')} AND $key AND
-- include asked_gateways
GROUP BY trace, span
-- Of several gateways that delivered it, the one that keeps most, or the first by name.
HAVING argMin(p.GatewayId, (ifNull(p.AdjustedCount, inf), p.GatewayId)) IN {gateways:Array(String)}
ORDER BY time, trace, span
