-- What came in during an interval of ingest time and no bucket can hold, by signal and reason: what the roll-ups leave out must be counted
-- somewhere, or it would be lost in silence. Raw tables keep what is too late for a day, so that it can be counted and looked at; gateways and
-- the OTLP door move or drop such data, and count it, before.
SELECT Signal, Reason, count() AS Points
FROM (
    SELECT 'metrics' AS Signal, multiIf(TimeUnix < {oldest:DateTime('UTC')}, 'too late', TimeUnix > {newest:DateTime('UTC')}, 'in the future',
        NOT isFinite(Value) OR Value < 0 OR Value >= 9007199254740992, 'impossible value', '') AS Reason
    FROM otel_metrics_sum
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND MetricName IN {sums:Array(String)}
    UNION ALL
    SELECT 'metrics', multiIf(TimeUnix < {oldest:DateTime('UTC')}, 'too late', TimeUnix > {newest:DateTime('UTC')}, 'in the future', Told < 0, 'impossible value', '')
    FROM otel_metrics_exponential_histogram
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT 'metrics', multiIf(TimeUnix < {oldest:DateTime('UTC')}, 'too late', TimeUnix > {newest:DateTime('UTC')}, 'in the future',
        empty(ExplicitBounds), 'no buckets', Told < 0, 'impossible value', '')
    FROM otel_metrics_histogram
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND MetricName IN {histograms:Array(String)}
    UNION ALL
    SELECT 'metrics', if(TimeUnix < {oldest:DateTime('UTC')}, 'too late', 'in the future')
    FROM otel_metrics_gauge
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND MetricName IN {gauges:Array(String)} AND (TimeUnix < {oldest:DateTime('UTC')} OR TimeUnix > {newest:DateTime('UTC')})
    UNION ALL
    SELECT 'traces', if(Timestamp < {oldest:DateTime('UTC')}, 'too late', 'in the future')
    FROM otel_traces
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND SpanName IN {spans:Array(String)} AND (Timestamp < {oldest:DateTime('UTC')} OR Timestamp > {newest:DateTime('UTC')})
    UNION ALL
    SELECT 'logs', if(Timestamp < {oldest:DateTime('UTC')}, 'too late', 'in the future')
    FROM otel_logs
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND EventName IN {events:Array(String)} AND (Timestamp < {oldest:DateTime('UTC')} OR Timestamp > {newest:DateTime('UTC')})
)
WHERE Reason != ''
GROUP BY Signal, Reason
ORDER BY Signal, Reason
