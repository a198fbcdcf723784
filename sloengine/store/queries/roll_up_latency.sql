-- M2, one gateway, minutes [lo, hi): latency buckets from the devices' cumulative exponential histograms. Two points of a series are
-- brought to the coarser of their scales (index >> difference is exact) and subtracted bucket by bucket. Zero and negative
-- durations can't be: what lies below the smallest bucket is kept in Zero.
INSERT INTO latency_minutes (ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute, Scale, Zero, Buckets, Revision)
WITH
    points AS (
        SELECT SeriesId, StartTimeUnix, TimeUnix, any(AggregationTemporality) AS Temporality,
            argMax(tuple(p.Scale, p.ZeroCount, p.PositiveOffset, p.PositiveBucketCounts), p.Count) AS H,
            least(H.1, {max_scale:Int32}) AS Scale,
            any(p.ServiceName) AS ServiceName, any(p.ModelName) AS ModelName, any(p.ModelVersion) AS ModelVersion,
            any(p.Region) AS Region, any(p.RolloutId) AS RolloutId
        FROM otel_metrics_exponential_histogram AS p
        WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.duration'
            AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
            -- Scales that the data model knows, durations from 2^-70 to 2^40 s, counts that can be subtracted: what lies outside of that
            -- comes from a broken device, and one such row would fail the whole tick.
            AND p.Scale BETWEEN -10 AND 20 AND p.ZeroCount < 9007199254740992
            AND p.PositiveOffset * exp2(-p.Scale) >= -70 AND (p.PositiveOffset + length(p.PositiveBucketCounts)) * exp2(-p.Scale) <= 40
            AND NOT arrayExists(c -> c >= 9007199254740992, p.PositiveBucketCounts)
        GROUP BY SeriesId, StartTimeUnix, TimeUnix
    ),
    steps AS (
        SELECT SeriesId, StartTimeUnix, TimeUnix, Temporality, ServiceName, ModelName, ModelVersion, Region, RolloutId, H, Scale,
            lagInFrame(H, 1) OVER w AS PreviousH, lagInFrame(Scale, 1) OVER w AS PreviousScale, row_number() OVER w AS N
        FROM points
        WINDOW w AS (PARTITION BY SeriesId, StartTimeUnix ORDER BY TimeUnix ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    signed AS (
        SELECT SeriesId, TimeUnix, ServiceName, ModelName, ModelVersion, Region, RolloutId, H, PreviousH, StartTimeUnix,
            Temporality = 2 AND N > 1 AND arraySum(H.4) + H.2 >= arraySum(PreviousH.4) + PreviousH.2 AS Subtract,
            if(Subtract, least(Scale, PreviousScale), Scale) AS S,
            Temporality = 1 OR N > 1 OR StartTimeUnix >= {from:DateTime('UTC')} AS Known
        FROM steps
    ),
    cells AS (
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, toStartOfMinute(toDateTime(TimeUnix, 'UTC')) AS Minute, S,
            arrayJoin(arrayConcat(
                arrayMap((c, i) -> tuple(toInt32(bitShiftRight(toInt32(H.3 + i - 1), toUInt8(H.1 - S))), toInt64(c)), H.4, arrayEnumerate(H.4)),
                if(Subtract,
                    arrayMap((c, i) -> tuple(toInt32(bitShiftRight(toInt32(PreviousH.3 + i - 1), toUInt8(PreviousH.1 - S))), -toInt64(c)),
                        PreviousH.4, arrayEnumerate(PreviousH.4)),
                    []),
                [tuple(toInt32(-2147483648), toInt64(H.2) - if(Subtract, toInt64(PreviousH.2), 0))]
            )) AS Cell
        FROM signed
        WHERE Known AND TimeUnix >= {lo:DateTime('UTC')}
    ),
    buckets AS (
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, S, Cell.1 AS Bucket, greatest(0, sum(Cell.2)) AS C
        FROM cells
        GROUP BY ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, S, Bucket
        HAVING C > 0 OR Bucket = -2147483648
    ),
    fresh AS (
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, toInt8(S) AS Scale,
            toUInt64(sumIf(C, Bucket = -2147483648)) AS Zero,
            CAST(mapSort(mapFromArrays(groupArrayIf(Bucket, Bucket != -2147483648), groupArrayIf(toUInt64(C), Bucket != -2147483648))),
                'Map(Int32, UInt64)') AS Buckets
        FROM buckets
        GROUP BY ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, S
    ),
    whole AS (
        -- A late point can make a step coarser: the row at the old scale is emptied, or the step would count twice.
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Scale, sum(Z) AS Zero, sumMap(B) AS Buckets
        FROM (
            SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Scale, Zero AS Z, Buckets AS B FROM fresh
            UNION ALL
            SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Scale, 0, CAST(map(), 'Map(Int32, UInt64)')
            FROM latency_minutes FINAL
            WHERE GatewayId = {gateway:String} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        )
        GROUP BY ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Scale
    )
SELECT ServiceName, ModelName, ModelVersion, Region, {gateway:String}, RolloutId, Minute, Scale, Zero, Buckets, {revision:UInt64}
FROM whole
WHERE (ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Scale, Zero, cityHash64(Buckets)) NOT IN (
    SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Scale, Zero, cityHash64(Buckets)
    FROM latency_minutes FINAL
    WHERE GatewayId = {gateway:String} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
)
