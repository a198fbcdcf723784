-- Points that came in during an interval of ingest time and that no bucket can hold, by reason: what the roll-ups leave out must be
-- counted somewhere, or it would be lost in silence. What is older than the raw tables keep, their TTL takes at the door; gateways and the
-- OTLP door drop and count such points before.
SELECT Reason, count() AS Points
FROM (
    SELECT multiIf(TimeUnix < {oldest:DateTime('UTC')}, 'too late', TimeUnix > {newest:DateTime('UTC')}, 'in the future',
        NOT isFinite(Value) OR Value < 0 OR Value >= 9007199254740992, 'impossible value', '') AS Reason
    FROM otel_metrics_sum
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND MetricName IN {sums:Array(String)}
    UNION ALL
    SELECT multiIf(TimeUnix < {oldest:DateTime('UTC')}, 'too late', TimeUnix > {newest:DateTime('UTC')}, 'in the future',
        Scale NOT BETWEEN -10 AND 20 OR ZeroCount >= 9007199254740992
            OR arrayExists(c -> c >= 9007199254740992, PositiveBucketCounts), 'impossible value', '')
    FROM otel_metrics_exponential_histogram
    WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        AND MetricName IN {histograms:Array(String)}
)
WHERE Reason != ''
GROUP BY Reason
ORDER BY Reason
