-- Gauges, some gateways, minutes [lo, hi): seconds that a value was in each band between the asked cuts. A point accounts for the time since
-- the one before it in its series, up to five minutes: beyond that nobody knows what the value was; a first point accounts for nothing.
-- include insert_counts
WITH
    points AS (
        SELECT Measure, SeriesId, TimeUnix, max(p.Value) AS V,
-- include asked_columns
        FROM (
            SELECT MetricName AS Measure, Attributes AS Own, *,
-- include asked_folds
            ,
-- include asked_shift
            FROM otel_metrics_gauge
            WHERE MetricName IN {measures:Array(String)} AND isFinite(Value)
        ) AS p
        WHERE
-- include asked_rows
        GROUP BY Measure, SeriesId, TimeUnix, p.Moved
    ),
    placed AS (
        SELECT Measure, SeriesId, V, D, F, Asked, Shift, TimeUnix + toIntervalMillisecond(Shift) AS T
        FROM points
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    steps AS (
        SELECT Measure, D, F, Asked, Shift, T,
            ifNull(toString(arrayLastOrNull(c -> V > c, F.4)), '-inf') AS Gt, ifNull(toString(arrayFirstOrNull(c -> V <= c, F.4)), 'inf') AS Le,
            if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(T, 1) OVER w, T) / 1000, 0) AS Gap
        FROM placed
        WINDOW w AS (PARTITION BY Measure, SeriesId ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    spells AS (
        SELECT Measure, D, F, Asked, Shift, Gt, Le, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM steps
        WHERE T >= {lo:DateTime('UTC')}
    ),
    fresh AS (
        SELECT Measure, D, Minute,
-- include banded_key
            , tuple(round(sum(Seconds), 3), round(sum(Seconds), 3), count(), toUInt64(0), 0., round(sumIf(Seconds, Shift != 0), 3)) AS Figures
        FROM spells
        GROUP BY Measure, D, F, Asked, Gt, Le, Minute
    ),
-- include settle_counts
