-- A cumulative point changes its own bucket and that of the next point of its series (whose increase is counted from it). For one
-- gateway and range: the minutes of those next points, beyond the range.
SELECT DISTINCT toStartOfMinute(toDateTime(Next, 'UTC')) AS Minute
FROM (
    SELECT min(TimeUnix) AS Next
    FROM otel_metrics_sum
    WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.requests'
        AND TimeUnix >= {hi:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalDay(2)
        AND (SeriesId, StartTimeUnix) IN (
            SELECT SeriesId, StartTimeUnix FROM otel_metrics_sum
            WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.requests'
                AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
        )
    GROUP BY SeriesId, StartTimeUnix
)
ORDER BY Minute
