-- Node-seconds that telemetry accounts for, some gateways, minutes [lo, hi): a point of the request counters accounts for the time since the
-- device's last one, up to five minutes: beyond that it was silent. After more than an hour (the shortest look-back) it counts as a first
-- one, or the figure would depend on how far was looked back. Models don't matter: a node with two of them is still one node.
-- include insert_counts
WITH
    heard AS (
        SELECT Measure, TimeUnix, p.DeviceId AS Device,
-- include asked_columns
        FROM (
            SELECT 'covered' AS Measure, Attributes AS Own, *,
-- include asked_folds
            ,
-- include asked_shift
            FROM otel_metrics_sum
            WHERE MetricName = 'edge.inference.requests'
        ) AS p
        WHERE
-- include asked_rows
        GROUP BY Measure, TimeUnix, p.Moved, p.GatewayId, p.DeviceId, p.ServiceName, p.Region
    ),
    placed AS (
        SELECT Measure, tuple(D.1, '', '', D.4, D.5, '', '', '', '') AS D, F, Asked, Device, Shift, TimeUnix + toIntervalMillisecond(Shift) AS T
        FROM heard
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    gaps AS (
        SELECT Measure, D, F, Asked, Shift, T,
            if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(T, 1) OVER w, T) / 1000, 3601) AS Gap
        FROM placed
        WINDOW w AS (PARTITION BY D, Device ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    spells AS (
        SELECT Measure, D, F, Asked, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM gaps
        WHERE T >= {lo:DateTime('UTC')}
    ),
    fresh AS (
        SELECT Measure, D, Minute,
-- include asked_key
            , tuple(round(sum(Seconds), 3), round(sum(Seconds), 3), count(), toUInt64(0), 0., round(sumIf(Seconds, Shift != 0), 3)) AS Figures
        FROM spells
        GROUP BY Measure, D, F, Asked, Minute
    ),
-- include settle_counts
