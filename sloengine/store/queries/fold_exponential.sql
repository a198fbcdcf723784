-- Exponential histograms, some gateways, minutes [lo, hi). Two points of a series are brought to the coarser of their scales (index >> difference
-- is exact) and subtracted bucket by bucket; which minute gets the difference, resets and first points are as for counters.
-- include insert_histograms
WITH
    points AS (
        SELECT Measure, SeriesId, StartTimeUnix, TimeUnix, any(p.AggregationTemporality) AS Temporality,
            argMax(tuple(p.Scale, p.ZeroCount, p.PositiveOffset, p.PositiveBucketCounts, p.NegativeOffset, p.NegativeBucketCounts), p.Count) AS H,
-- include asked_columns
        FROM (
            SELECT MetricName AS Measure, Attributes AS Own, *,
-- include asked_folds
            ,
-- include asked_shift
            FROM otel_metrics_exponential_histogram
            WHERE MetricName IN {measures:Array(String)}
                -- Scales that the data model knows, values from 2^-70 to 2^60, counts that can be subtracted: what lies outside of that comes
                -- from a broken device, and one such row would fail the whole tick.
                AND Scale BETWEEN -10 AND 20 AND ZeroCount < 9007199254740992
                AND PositiveOffset * exp2(-Scale) >= -70 AND (PositiveOffset + length(PositiveBucketCounts)) * exp2(-Scale) <= 60
                AND NegativeOffset * exp2(-Scale) >= -70 AND (NegativeOffset + length(NegativeBucketCounts)) * exp2(-Scale) <= 60
                AND NOT arrayExists(c -> c >= 9007199254740992, arrayConcat(PositiveBucketCounts, NegativeBucketCounts))
        ) AS p
        WHERE
-- include asked_rows
        GROUP BY Measure, SeriesId, StartTimeUnix, TimeUnix, p.Moved
    ),
    placed AS (
        SELECT Measure, SeriesId, StartTimeUnix, Temporality, D, Shift, toInt32(least(H.1, {max_scale:Int32})) AS Scale,
-- include asked_key
            , toFloat64(arraySum(H.4) + arraySum(H.6) + H.2) AS Total,
            -- Sides, indices at the histogram's own scale or the finest that is kept, and counts.
            tuple(arrayConcat([toInt64(0)], arrayMap(c -> toInt64(1), H.4), arrayMap(c -> toInt64(-1), H.6)),
                arrayConcat([toInt32(0)], arrayMap(i -> toInt32(bitShiftRight(toInt32(H.3 + i - 1), toUInt8(H.1 - Scale))), arrayEnumerate(H.4)),
                    arrayMap(i -> toInt32(bitShiftRight(toInt32(H.5 + i - 1), toUInt8(H.1 - Scale))), arrayEnumerate(H.6))),
                arrayMap(c -> toFloat64(c), arrayConcat([H.2], H.4, H.6))) AS Held,
            TimeUnix + toIntervalMillisecond(Shift) AS T, StartTimeUnix + toIntervalMillisecond(Shift) AS Start
        FROM points
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
    ),
    steps AS (
        SELECT Measure, D, Attributes, Shift, T, Start, Scale, Held, Total, Temporality,
            lagInFrame(Held, 1) OVER w AS Before, lagInFrame(Scale, 1) OVER w AS PreviousScale, lagInFrame(Total, 1) OVER w AS PreviousTotal,
            lagInFrame(T, 1) OVER w AS PreviousT, row_number() OVER w AS N
        FROM placed
        WINDOW w AS (PARTITION BY Measure, SeriesId, StartTimeUnix ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    signed AS (
        SELECT Measure, D, Attributes, Shift, T, Held, Before, Scale, PreviousScale,
            Temporality = 2 AND N > 1 AND Total >= PreviousTotal AS Subtract, if(Subtract, Total - PreviousTotal, Total) AS Change,
            toInt8(if(Subtract, least(Scale, PreviousScale), Scale)) AS S,
            -- Nearly always nothing but the counts has changed: then half as many buckets have to be added up.
            Subtract AND Scale = PreviousScale AND Held.1 = Before.1 AND Held.2 = Before.2 AS Alike,
            if(Temporality = 2 AND N > 1, PreviousT, Start) < T - toIntervalMinute(5) AS Bridges
        FROM steps
        WHERE T >= {lo:DateTime('UTC')} AND (Temporality = 1 OR N > 1 OR Start >= {from:DateTime('UTC')})
    ),
    changes AS (
        SELECT Measure, D, Attributes, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, tuple(S, CAST([], 'Array(Float64)')) AS Grid, Bridges, Change,
            arrayConcat(arrayMap((s, i) -> s * 4294967296 + bitShiftRight(i, toUInt8(Scale - S)), Held.1, Held.2),
                if(Subtract AND NOT Alike, arrayMap((s, i) -> s * 4294967296 + bitShiftRight(i, toUInt8(PreviousScale - S)), Before.1, Before.2),
                    [])) AS Codes,
            if(Alike, arrayMap((held, before) -> held - before, Held.3, arrayResize(Before.3, length(Held.3))),
                arrayConcat(Held.3, if(Subtract, arrayMap(c -> -c, Before.3), []))) AS Changes
        FROM signed
    ),
-- include settle_histograms
