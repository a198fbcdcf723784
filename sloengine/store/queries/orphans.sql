-- How many series of a range have no earlier point within the look-back although they began before it: their first increase
-- can't be known without looking further back.
SELECT countIf(First >= {lo:DateTime('UTC')} AND StartTimeUnix < {from:DateTime('UTC')}) AS Orphans
FROM (
    SELECT SeriesId, StartTimeUnix, min(TimeUnix) AS First
    FROM otel_metrics_sum
    WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.requests' AND AggregationTemporality = 2
        AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
    GROUP BY SeriesId, StartTimeUnix
    UNION ALL
    SELECT SeriesId, StartTimeUnix, min(TimeUnix) AS First
    FROM otel_metrics_exponential_histogram
    WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.duration' AND AggregationTemporality = 2
        AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
    GROUP BY SeriesId, StartTimeUnix
)
