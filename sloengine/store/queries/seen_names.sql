-- Names of metrics, spans and events that arrived in the last days, by the kind of source that an SLO would name, and at most a hundred
-- services that sent each.
SELECT Source, Name, groupUniqArray(100)(Service) AS Services
FROM (
    SELECT DISTINCT 'sum' AS Source, MetricName AS Name, ServiceName AS Service FROM otel_metrics_sum WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION ALL
    SELECT DISTINCT 'gauge', MetricName, ServiceName FROM otel_metrics_gauge WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION ALL
    SELECT DISTINCT 'histogram', MetricName, ServiceName FROM otel_metrics_histogram WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION ALL
    SELECT DISTINCT 'histogram', MetricName, ServiceName FROM otel_metrics_exponential_histogram WHERE TimeUnix > now() - toIntervalDay({days:UInt32})
    UNION ALL
    SELECT DISTINCT 'span', SpanName, ServiceName FROM otel_traces WHERE Timestamp > now() - toIntervalDay({days:UInt32})
    UNION ALL
    SELECT DISTINCT 'log', EventName, ServiceName FROM otel_logs WHERE Timestamp > now() - toIntervalDay({days:UInt32}) AND EventName != ''
)
GROUP BY Source, Name
ORDER BY Source, Name
LIMIT 20000
