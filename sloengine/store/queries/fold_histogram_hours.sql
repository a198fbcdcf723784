-- The named hours of some measures, their minutes put into one row for each key and grid, buckets as dense arrays; only rows that differ are written.
-- What holds nothing any more is emptied. Buckets of a grid add up exactly; sums are rounded to a millionth, as they are of minutes: what is said of
-- them must not depend on the order. Values lie within 130 powers of two (Told), so at the finest scale that is kept a row has 8,320 buckets at most.
INSERT INTO histogram_hours (Measure, GatewayId, ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Hour, Scale, Bounds, Zero, First, Counts, NegativeFirst, Negatives, Items, Revision)
WITH minutes AS (
    SELECT Measure, GatewayId, toStartOfHour(Minute) AS Hour, Scale, Bounds,
        sipHash64(Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes) AS KeyId,
        any(tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes)) AS D,
        round(sum(Zero), 6) AS Z, sumMap(Buckets) AS P, sumMap(Negative) AS M, sum(Items) AS N
    FROM histogram_minutes FINAL
    WHERE toStartOfHour(Minute) IN {hours:Array(DateTime('UTC'))} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        AND Measure IN {measures:Array(String)} AND Items > 0
    GROUP BY Measure, GatewayId, Hour, Scale, Bounds, KeyId
),
fresh AS (
    SELECT Measure, GatewayId, Hour, Scale, Bounds, KeyId, D, Z, N,
        -- sumMap's keys ascend. A count stands behind as many zeros as indices are missing before it; of explicit buckets also before the first and
        -- after the last.
        arrayMap(side -> arrayFlatten(arrayMap((step, c) -> arrayPushBack(arrayWithConstant(greatest(step, 1) - 1, 0.), round(c, 6)),
            arrayDifference(mapKeys(side)), mapValues(side))), [P, M]) AS Dense,
        if(notEmpty(Bounds), 0, mapKeys(P)[1]) AS F,
        if(notEmpty(Bounds), arrayResize(arrayConcat(arrayWithConstant(mapKeys(P)[1], 0.), Dense[1]), length(Bounds) + 1, 0.), Dense[1]) AS C,
        mapKeys(M)[1] AS NF, Dense[2] AS NC
    FROM minutes
),
both AS (
    SELECT true AS New, Measure, GatewayId, KeyId, Hour, Scale, Bounds, D, Z, F, C, NF, NC, N, cityHash64(Z, F, C, NF, NC, N) AS Hash
    FROM fresh
    UNION ALL
    SELECT false, Measure, GatewayId, KeyId, Hour, Scale, Bounds, tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware,
        DeviceId, Attributes), 0, 0, [], 0, [], 0, if(Items = 0, 0, cityHash64(Zero, First, Counts, NegativeFirst, Negatives, Items))
    FROM histogram_hours FINAL
    WHERE Hour IN {hours:Array(DateTime('UTC'))} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
        AND Measure IN {measures:Array(String)}
),
settled AS (
    -- Of each there is one new row at most: sums, and arrays put one behind the other, are its own.
    SELECT Measure, GatewayId, Hour, Scale, Bounds, any(D) AS Names, sum(Z) AS Zeros, sum(F) AS From, groupArrayArray(C) AS Held,
        sum(NF) AS NegativeFrom, groupArrayArray(NC) AS NegativeHeld, sum(N) AS Points, maxIf(Hash, New) AS Now, maxIf(Hash, NOT New) AS Was
    FROM both
    GROUP BY Measure, GatewayId, KeyId, Hour, Scale, Bounds
    HAVING Now != Was
)
SELECT Measure, GatewayId, Names.1, Names.2, Names.3, Names.4, Names.5, Names.6, Names.7, Names.8, Names.9, Hour, Scale, Bounds,
    Zeros, From, Held, NegativeFrom, NegativeHeld, Points, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
