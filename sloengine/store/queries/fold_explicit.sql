-- Explicit-bucket histograms, some gateways, minutes [lo, hi): as exponential ones; a series whose bounds change begins anew.
-- include insert_histograms
WITH
-- include asked_series
    points AS (
        -- Where a point came twice, the delivery that holds most.
        SELECT StreamId, SeriesId, StartTimeUnix, TimeUnix, p.Moved AS Shift, p.AggregationTemporality AS Temporality, p.ExplicitBounds AS Bounds,
            p.BucketCounts AS Held, p.Told AS Total, p.Begun AS Begun, p.Unordered AS Unordered
        FROM
-- include points_explicit
        WHERE
-- include asked_around
        ORDER BY p.Count DESC, p.Place
        LIMIT 1 BY StreamId, StartTimeUnix, TimeUnix, Shift, Temporality
    ),
    placed AS (
        SELECT StreamId, SeriesId, StartTimeUnix, Begun, Unordered, Temporality, Shift, Bounds, Held, Total,
            TimeUnix + toIntervalMillisecond(Shift) AS T, StartTimeUnix + toIntervalMillisecond(Shift) AS Start
        FROM points
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    ordered AS (
        -- What has fallen behind the highest before, of a device whose points may not lie in their true order, says nothing (fold_sums.sql).
        SELECT *
        FROM (
            SELECT *, Unordered AND Temporality = 2 AND Total < max(Total) OVER w AS Behind
            FROM placed
            WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Bounds, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        )
        WHERE NOT Behind
    ),
    steps AS (
        SELECT SeriesId, Shift, T, Start, Begun, Bounds, Held, Total, Temporality, lagInFrame(Held, 1) OVER w AS Before,
            lagInFrame(Total, 1) OVER w AS PreviousTotal, lagInFrame(T, 1) OVER w AS PreviousT, row_number() OVER w AS N
        FROM ordered
        WINDOW w AS (PARTITION BY StreamId, StartTimeUnix, Bounds, Temporality ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    signed AS (
        SELECT SeriesId, Shift, T, Bounds, Held, Before, Temporality = 2 AND N > 1 AND Total >= PreviousTotal AS Subtract,
            if(Subtract, Total - PreviousTotal, Total) AS Change,
            if(Temporality = 2 AND N > 1, PreviousT, Start) < T - toIntervalMinute(5) AS Bridges
        FROM steps
        WHERE T >= {lo:DateTime('UTC')} AND (Temporality = 1 OR N > 1 OR Begun >= {from:DateTime('UTC')})
    ),
    changes AS (
        SELECT SeriesId, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, tuple(toInt8(0), Bounds) AS Grid, Bridges, Change, toUInt64(1) AS Items,
            -- Only positive sides: an explicit bucket holds what its bounds say, whatever the sign.
            arrayMap(i -> toInt64(4294967296 + i - 1), arrayEnumerate(Held)) AS Codes,
            arrayMap((c, i) -> toFloat64(c) - if(Subtract, toFloat64(Before[i]), 0), Held, arrayEnumerate(Held)) AS Changes
        FROM signed
    ),
-- include settle_histograms
