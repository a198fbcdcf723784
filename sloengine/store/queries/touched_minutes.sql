-- Which (gateway, minute) buckets were touched by what came in during an interval of ingest time, over both metric tables that
-- buckets are made of. The minmax index on IngestTime keeps this to the newest parts, however old the events are.
-- Events of a time that can't be (1970, 2100) are left alone: they would be rolled up into minutes that nobody asks for.
SELECT GatewayId, Minute
FROM (
    SELECT GatewayId, toStartOfMinute(toDateTime(TimeUnix, 'UTC')) AS Minute
    FROM otel_metrics_sum
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND TimeUnix >= {oldest:DateTime64(3, 'UTC')} AND TimeUnix < {newest:DateTime64(3, 'UTC')}
        AND MetricName = 'edge.inference.requests'
    UNION ALL
    SELECT GatewayId, toStartOfMinute(toDateTime(TimeUnix, 'UTC')) AS Minute
    FROM otel_metrics_exponential_histogram
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND TimeUnix >= {oldest:DateTime64(3, 'UTC')} AND TimeUnix < {newest:DateTime64(3, 'UTC')}
        AND MetricName = 'edge.inference.duration'
)
GROUP BY GatewayId, Minute
ORDER BY GatewayId, Minute
