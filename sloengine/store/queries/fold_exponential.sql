-- Exponential histograms, some gateways, minutes [lo, hi). Two points of a series are brought to the coarser of their scales (index >> difference
-- is exact) and subtracted bucket by bucket; which minute gets the difference, resets and first points are as for counters.
--
-- The differences of one series within one minute add up to that of the last point and the one before the first: buckets are subtracted only
-- where a minute ends, or where something begins, breaks or changes scale. At a point every ten seconds that is one in six.
-- include insert_histograms
WITH
-- include asked_series
    heads AS (
        -- At-least-once delivery: the same point (series, start, time) counts once, as the delivery that holds most.
        SELECT StreamId, StartTimeUnix, TimeUnix, p.Moved AS Shift, p.AggregationTemporality AS Temporality,
            argMax(toInt32(least(p.Scale, {max_scale:Int32})), p.Count) AS Scale, argMax(p.Told, p.Count) AS Total,
            argMin(p.SeriesId, p.Place) AS SeriesId, any(p.Begun) AS Begun, any(p.Unordered) AS Unordered
        FROM
-- include points_exponential
        WHERE
-- include asked_around
        GROUP BY StreamId, StartTimeUnix, TimeUnix, Shift, Temporality
    ),
    placed AS (
        SELECT StreamId, SeriesId, StartTimeUnix, Begun, Unordered, TimeUnix, Shift, Temporality, Scale, Total, TimeUnix + toIntervalMillisecond(Shift) AS T,
            StartTimeUnix + toIntervalMillisecond(Shift) AS Start, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute
        FROM heads
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    ordered AS (
        -- What has fallen behind the highest before, of a device whose points may not lie in their true order, says nothing (fold_sums.sql).
        SELECT *
        FROM (
            SELECT *, Unordered AND Temporality = 2 AND Total < max(Total) OVER w AS Behind
            FROM placed
            WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        )
        WHERE NOT Behind
    ),
    steps AS (
        SELECT StreamId, SeriesId, StartTimeUnix, Begun, TimeUnix, Shift, T, Start, Minute, Temporality, Scale, Total, row_number() OVER w AS N,
            Temporality = 2 AND N > 1 AND Total >= lagInFrame(Total, 1) OVER w AS Subtract,
            if(Temporality = 2 AND N > 1, lagInFrame(T, 1) OVER w, Start) < T - toIntervalMinute(5) AS Bridges,
            Subtract AND NOT Bridges AND Scale = lagInFrame(Scale, 1) OVER w AND Shift = lagInFrame(Shift, 1) OVER w
                AND SeriesId = lagInFrame(SeriesId, 1) OVER w AS Smooth
        FROM ordered
        WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    kept AS (
        SELECT StreamId, SeriesId, StartTimeUnix, Temporality, TimeUnix, Shift, T, Minute, Total, N, Subtract, Bridges,
            Temporality = 1 OR N > 1 OR Begun >= {from:DateTime('UTC')} AS Known
        FROM (
            SELECT *, leadInFrame(Smooth, 1) OVER w AS GoesOn, leadInFrame(Minute, 1) OVER w AS NextMinute
            FROM steps
            WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Temporality ORDER BY T ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
        )
        WHERE NOT (Smooth AND GoesOn AND NextMinute = Minute)
            AND (T >= {lo:DateTime('UTC')} OR NextMinute >= {lo:DateTime('UTC')})
    ),
    points AS (
        -- Buckets of the points that are kept; where a point came twice, of the delivery that holds most.
        SELECT p.StreamId AS StreamId, kept.SeriesId AS SeriesId, p.StartTimeUnix AS StartTimeUnix, Temporality, Shift, T, Minute, Total, N, Subtract, Bridges, Known,
            toInt32(least(p.Scale, {max_scale:Int32})) AS Scale,
            -- Sides, indices at the histogram's own scale or the finest that is kept, and counts.
            arrayConcat([toInt64(0)], arrayMap(c -> toInt64(1), PositiveBucketCounts), arrayMap(c -> toInt64(-1), NegativeBucketCounts)) AS Sides,
            arrayConcat([toInt32(0)], arrayMap(i -> bitShiftRight(toInt32(PositiveOffset + i - 1), toUInt8(p.Scale - Scale)), arrayEnumerate(PositiveBucketCounts)),
                arrayMap(i -> bitShiftRight(toInt32(NegativeOffset + i - 1), toUInt8(p.Scale - Scale)), arrayEnumerate(NegativeBucketCounts))) AS Places,
            arrayMap(c -> toFloat64(c), arrayConcat([ZeroCount], PositiveBucketCounts, NegativeBucketCounts)) AS Held
        FROM
-- include points_exponential
        INNER JOIN kept ON p.StreamId = kept.StreamId AND p.StartTimeUnix = kept.StartTimeUnix AND p.TimeUnix = kept.TimeUnix AND p.Moved = kept.Shift
            AND p.AggregationTemporality = kept.Temporality
        WHERE
-- include asked_around
        ORDER BY Count DESC
        LIMIT 1 BY StreamId, StartTimeUnix, p.TimeUnix, Shift, Temporality
    ),
    signed AS (
        SELECT *, toInt8(if(Subtract, least(Scale, PreviousScale), Scale)) AS S,
            -- Nearly always nothing but the counts has changed: then half as many buckets have to be added up.
            Subtract AND Scale = PreviousScale AND Sides = SidesBefore AND Places = PlacesBefore AS Alike
        FROM (
            SELECT SeriesId, Shift, T, Minute, Scale, Sides, Places, Held, Subtract, Bridges, Known, lagInFrame(Sides, 1) OVER w AS SidesBefore,
                lagInFrame(Places, 1) OVER w AS PlacesBefore, lagInFrame(Held, 1) OVER w AS Before,
                lagInFrame(Scale, 1) OVER w AS PreviousScale, if(Subtract, Total - lagInFrame(Total, 1) OVER w, Total) AS Change,
                -- How many points stand behind this one.
                toUInt64(if(Subtract, N - lagInFrame(N, 1) OVER w, 1)) AS Items
            FROM points
            WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        )
        WHERE T >= {lo:DateTime('UTC')} AND Known
    ),
    changes AS (
        SELECT SeriesId, Shift, Minute, tuple(S, CAST([], 'Array(Float64)')) AS Grid, Bridges, Change, Items,
            arrayConcat(arrayMap((s, i) -> s * 4294967296 + bitShiftRight(i, toUInt8(Scale - S)), Sides, Places),
                if(Subtract AND NOT Alike, arrayMap((s, i) -> s * 4294967296 + bitShiftRight(i, toUInt8(PreviousScale - S)), SidesBefore, PlacesBefore),
                    [])) AS Codes,
            if(Alike, arrayMap((held, before) -> held - before, Held, arrayResize(Before, length(Held))),
                arrayConcat(Held, if(Subtract, arrayMap(c -> -c, Before), []))) AS Changes
        FROM signed
    ),
-- include settle_histograms
