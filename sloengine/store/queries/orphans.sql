-- How many series of a range have no earlier point within the look-back although they began before it: their first increase
-- can't be known without looking further back. A point that does not count, because its gateway was in quarantine, is none.
SELECT countIf(First >= {lo:DateTime('UTC')} AND StartTimeUnix < {from:DateTime('UTC')}) AS Orphans
FROM (
    SELECT SeriesId, StartTimeUnix, min(TimeUnix) AS First
    FROM otel_metrics_sum
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {sums:Array(String)} AND AggregationTemporality = 2
        AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
        AND NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))})
    GROUP BY SeriesId, StartTimeUnix
    UNION ALL
    SELECT SeriesId, StartTimeUnix, min(TimeUnix) AS First
    FROM otel_metrics_exponential_histogram
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {histograms:Array(String)} AND AggregationTemporality = 2
        AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
        AND NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))})
    GROUP BY SeriesId, StartTimeUnix
    UNION ALL
    SELECT SeriesId, StartTimeUnix, min(TimeUnix) AS First
    FROM otel_metrics_histogram
    WHERE GatewayId IN {gateways:Array(String)} AND MetricName IN {histograms:Array(String)} AND AggregationTemporality = 2
        AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
        AND NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
            {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))})
    GROUP BY SeriesId, StartTimeUnix
)
