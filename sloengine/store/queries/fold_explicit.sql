-- Explicit-bucket histograms, some gateways, minutes [lo, hi): as exponential ones; a series whose bounds change begins anew.
-- include insert_histograms
WITH
    points AS (
        SELECT Measure, SeriesId, StartTimeUnix, TimeUnix, any(p.AggregationTemporality) AS Temporality,
            argMax(tuple(p.ExplicitBounds, p.BucketCounts), p.Count) AS H,
-- include asked_columns
        FROM (
            SELECT MetricName AS Measure, Attributes AS Own, *,
-- include asked_folds
            ,
-- include asked_shift
            FROM otel_metrics_histogram
            WHERE MetricName IN {measures:Array(String)}
                -- A histogram without buckets tells of no distribution; one whose parts don't fit together of nothing.
                AND length(BucketCounts) = length(ExplicitBounds) + 1 AND notEmpty(ExplicitBounds)
                AND arraySort(ExplicitBounds) = ExplicitBounds AND arrayAll(b -> isFinite(b), ExplicitBounds)
                AND NOT arrayExists(c -> c >= 9007199254740992, BucketCounts)
        ) AS p
        WHERE
-- include asked_rows
        GROUP BY Measure, SeriesId, StartTimeUnix, TimeUnix, p.Moved
    ),
    placed AS (
        SELECT Measure, SeriesId, StartTimeUnix, Temporality, D, Shift, H.1 AS Bounds, H.2 AS Held, toFloat64(arraySum(H.2)) AS Total,
-- include asked_key
            , TimeUnix + toIntervalMillisecond(Shift) AS T, StartTimeUnix + toIntervalMillisecond(Shift) AS Start
        FROM points
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    steps AS (
        SELECT Measure, D, Attributes, Shift, T, Start, Bounds, Held, Total, Temporality, lagInFrame(Held, 1) OVER w AS Before,
            lagInFrame(Total, 1) OVER w AS PreviousTotal, lagInFrame(T, 1) OVER w AS PreviousT, row_number() OVER w AS N
        FROM placed
        WINDOW w AS (PARTITION BY Measure, SeriesId, StartTimeUnix, Bounds ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    signed AS (
        SELECT Measure, D, Attributes, Shift, T, Bounds, Held, Before, Temporality = 2 AND N > 1 AND Total >= PreviousTotal AS Subtract,
            if(Subtract, Total - PreviousTotal, Total) AS Change,
            if(Temporality = 2 AND N > 1, PreviousT, Start) < T - toIntervalMinute(5) AS Bridges
        FROM steps
        WHERE T >= {lo:DateTime('UTC')} AND (Temporality = 1 OR N > 1 OR Start >= {from:DateTime('UTC')})
    ),
    changes AS (
        SELECT Measure, D, Attributes, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, tuple(toInt8(0), Bounds) AS Grid, Bridges, Change,
            -- Only positive sides: an explicit bucket holds what its bounds say, whatever the sign.
            arrayMap(i -> toInt64(4294967296 + i - 1), arrayEnumerate(Held)) AS Codes,
            arrayMap((c, i) -> toFloat64(c) - if(Subtract, toFloat64(Before[i]), 0), Held, arrayEnumerate(Held)) AS Changes
        FROM signed
    ),
-- include settle_histograms
