-- The raw spans of one bucket, each once however often it was delivered, and how many requests each stands for.
SELECT TraceId AS trace, SpanId AS span, any(t.DeviceId) AS device, any(t.Timestamp) AS time, any(t.Duration) / 1e9 AS seconds, any(t.StatusCode) AS status,
    any(t.TraceState) AS tracestate, any(t.AdjustedCount) AS weight, count() AS delivered
FROM otel_traces AS t
WHERE t.SpanName = {name:String} AND t.Timestamp >= {lo:DateTime('UTC')} AND t.Timestamp < {hi:DateTime('UTC')} AND $key
GROUP BY GatewayId, TraceId, SpanId
ORDER BY time, trace, span
