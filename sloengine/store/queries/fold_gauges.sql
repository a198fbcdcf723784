-- Gauges, some gateways, minutes [lo, hi): seconds that a value was in each band between the asked cuts. A point accounts for the time since
-- the one before it in its series, up to five minutes: beyond that nobody knows what the value was; a first point accounts for nothing.
-- include insert_counts
WITH
-- include asked_series
    points AS (
        SELECT StreamId, TimeUnix, max(p.Value) AS V, p.Moved AS Shift, argMin(p.SeriesId, p.Place) AS SeriesId
        FROM
-- include points_gauges
        WHERE
-- include asked_around
        GROUP BY StreamId, TimeUnix, Shift
    ),
    placed AS (
        SELECT StreamId, SeriesId, V, Shift, TimeUnix + toIntervalMillisecond(Shift) AS T
        FROM points
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    steps AS (
        SELECT SeriesId, Shift, T, V, if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(T, 1) OVER w, T) / 1000, 0) AS Gap
        FROM placed
        WINDOW w AS (PARTITION BY StreamId ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    spells AS (
        SELECT Measure, D, F, Asked, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, if(Gap <= 3600, least(300, Gap), 0) AS Seconds,
            -- How many cuts lie below.
            arrayCount(c -> V > c, F.4) AS Above
        FROM steps
        INNER JOIN series USING (SeriesId)
        WHERE T >= {lo:DateTime('UTC')}
    ),
    sums AS (
        SELECT Measure, D, F, Asked, Above, Minute, sum(Seconds) AS Lasted, count() AS Items, sumIf(Seconds, Shift != 0) AS Shifted
        FROM spells
        GROUP BY Measure, D, F, Asked, Above, Minute
    ),
    fresh AS (
        SELECT Measure, D, Minute, if(Above > 0, toString(F.4[Above]), '-inf') AS Gt,
            if(Above < length(F.4), toString(F.4[Above + 1]), 'inf') AS Le,
-- include banded_key
            , tuple(round(Lasted, 3), round(Lasted, 3), Items, toUInt64(0), 0., round(Shifted, 3)) AS Figures
        FROM sums
    ),
-- include settle_counts
