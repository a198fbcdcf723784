-- Counters, some gateways, minutes [lo, hi): the increase of every asked monotonic sum, recomputed whole from deduplicated points.
--
-- A series is one as its device knows it, whichever gateways its points came through; an increase belongs to the later point's gateway.
--
-- Increase of a point over the one before it in its series: value - previous; the value itself at a series' start (its StartTimeUnix
-- is new) or after a reset that kept the start time (value fell). It belongs to the minute of the later point; over more than five minutes
-- it is marked as bridged. If the series began before the look-back and nothing earlier is found, the increase can't be known: it counts
-- as nothing, not as everything since the start. Where points may not lie in their true order, what goes beyond the highest before counts.
-- include insert_counts
WITH
-- include asked_series
    points AS (
        -- At-least-once delivery: the same point (series, start, time) counts once. Delta and cumulative points are two series, whatever their name.
        SELECT StreamId, StartTimeUnix, TimeUnix, max(p.Value) AS V, p.AggregationTemporality AS Temporality, p.Moved AS Shift,
            argMin(p.SeriesId, p.Place) AS SeriesId, any(p.Begun) AS Begun, any(p.Unordered) AS Unordered
        FROM
-- include points_sums
        WHERE
-- include asked_around
        GROUP BY StreamId, StartTimeUnix, TimeUnix, Shift, Temporality
    ),
    placed AS (
        SELECT StreamId, SeriesId, StartTimeUnix, Begun, Unordered, V, Temporality, Shift,
            TimeUnix + toIntervalMillisecond(Shift) AS T, StartTimeUnix + toIntervalMillisecond(Shift) AS Start
        FROM points
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    steps AS (
        SELECT SeriesId, Shift, T, Start, Begun, Unordered, V, Temporality,
            if(Unordered, max(V) OVER earlier, lagInFrame(V, 1) OVER w) AS Previous, lagInFrame(T, 1) OVER w AS PreviousT, row_number() OVER w AS N
        FROM placed
        WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            earlier AS (PARTITION BY StreamId, StartTimeUnix, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    increases AS (
        SELECT SeriesId, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute,
            multiIf(Temporality = 1, V, N > 1 AND V >= Previous, V - Previous, N > 1, if(Unordered, 0, V), Begun >= {from:DateTime('UTC')}, V, 0) AS Increase,
            if(Temporality = 2 AND N > 1, PreviousT, Start) < T - toIntervalMinute(5) AS Bridges
        FROM steps
        WHERE T >= {lo:DateTime('UTC')}
    ),
    minutes AS (
        SELECT SeriesId, Minute, sum(Increase) AS Events, count() AS Items, sumIf(Increase, Bridges) AS Bridged,
            sumIf(Increase, Shift != 0) AS Shifted
        FROM increases
        GROUP BY SeriesId, Minute
    ),
    fresh AS (
        SELECT Measure, D, Minute,
-- include asked_key
            , mapFromArrays(F.2, Asked) AS Told,
-- include asked_squares
            AS Squared, Squared IS NULL AS Unknown,
            -- Rounded to a millionth: floats are added in any order, and a re-run must write nothing.
            tuple(if(Unknown, 0, round(sum(Events), 6)), if(Unknown, 0, round(sum(Events) * ifNull(Squared, 0), 6)), if(Unknown, 0, sum(Items)),
                if(Unknown, toUInt64(round(sum(Events))), 0), if(Unknown, 0, round(sum(Bridged), 6)), if(Unknown, 0, round(sum(Shifted), 6))) AS Figures
        FROM minutes
        INNER JOIN series USING (SeriesId)
        GROUP BY Measure, D, F, Asked, Minute
    ),
-- include settle_counts
