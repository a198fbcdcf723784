-- The raw points of one counter bucket: each point of the minute, the one before it in its series, through whichever gateway that came, and the
-- increase between them.
WITH
    points AS (
        SELECT min(p.GatewayId) AS gateway, any(p.DeviceId) AS device, p.StreamId AS series, StartTimeUnix AS start, TimeUnix AS time, max(p.Value) AS value,
            p.AggregationTemporality AS temporality, min(p.IngestTime) AS stored, count() AS delivered
        FROM otel_metrics_sum AS p
        WHERE MetricName = {name:String} AND IsMonotonic AND isFinite(p.Value) AND p.Value >= 0 AND p.Value < 9007199254740992
            AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} AND $key AND
-- include asked_gateways
        GROUP BY series, start, time, temporality
    ),
    steps AS (
        SELECT *, row_number() OVER w AS n, lagInFrame(time, 1) OVER w AS previous_time, lagInFrame(value, 1) OVER w AS previous
        FROM points
        WINDOW w AS (PARTITION BY series, start, temporality ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    )
SELECT device, time, value, if(n > 1, previous_time, NULL) AS previous_time, if(n > 1, previous, NULL) AS previous, stored, delivered,
    multiIf(temporality = 1, value, n > 1 AND value >= previous, value - previous, n > 1, value, start >= {from:DateTime('UTC')}, value, 0) AS increase
FROM steps
WHERE gateway IN {gateways:Array(String)} AND time >= {lo:DateTime('UTC')}
ORDER BY increase DESC, device, time
