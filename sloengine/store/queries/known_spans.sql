-- Names of the spans of a span of time.
SELECT DISTINCT SpanName AS name FROM otel_traces WHERE Timestamp >= now() - toIntervalSecond({since:UInt64}) ORDER BY name LIMIT 1000
