-- Names of metrics, spans and events that arrived in the last 7 days, by the kind of source that an SLO would name.
SELECT Source, Name FROM (
    SELECT DISTINCT 'sum' AS Source, MetricName AS Name FROM otel_metrics_sum WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION DISTINCT
    SELECT DISTINCT 'gauge', MetricName FROM otel_metrics_gauge WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION DISTINCT
    SELECT DISTINCT 'histogram', MetricName FROM otel_metrics_histogram WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION DISTINCT
    SELECT DISTINCT 'histogram', MetricName FROM otel_metrics_exponential_histogram WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION DISTINCT
    SELECT DISTINCT 'span', SpanName FROM otel_traces WHERE Timestamp > now() - toIntervalDay({days:UInt32})
    UNION DISTINCT
    SELECT DISTINCT 'log', EventName FROM otel_logs WHERE Timestamp > now() - toIntervalDay({days:UInt32}) AND EventName != ''
)
ORDER BY Source, Name
LIMIT 20000
