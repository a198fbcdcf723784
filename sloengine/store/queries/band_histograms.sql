-- Histograms, some gateways, minutes [lo, hi): how many values lie in each band between the asked cuts. A bucket belongs to a band if all of
-- it does; exponential buckets of scale 5 and finer by their geometric middle, which honours a cut within 1.1 %. A wider
-- bucket that a cut divides belongs to the span of bands that it touches: for that cut its events are unknown. Which of a row's events were
-- bridged or shifted is not known: each band gets the share of them that it has of the row's events.
-- include insert_counts
WITH
    cells AS (
        SELECT Measure, tuple(ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId) AS D,
            if(Attributes = '', '{}', Attributes) AS Own, Minute, Items,
            Zero + arraySum(mapValues(Buckets)) + arraySum(mapValues(Negative)) AS Whole,
            if(Whole > 0, Bridged / Whole, 0) AS Bridge, if(Whole > 0, Shifted / Whole, 0) AS Shift,
-- include asked_folds
            , arrayJoin(arrayConcat(
                if(empty(Bounds), arrayMap((k, v) -> if(Scale >= 5, tuple(exp2((k + 0.5) * exp2(-Scale)), exp2((k + 0.5) * exp2(-Scale)), v),
                    tuple(exp2(k * exp2(-Scale)), exp2((k + 1) * exp2(-Scale)), v)), mapKeys(Buckets), mapValues(Buckets)),
                    arrayMap((k, v) -> tuple(if(k = 0, -inf, Bounds[k]), if(k = length(Bounds), inf, Bounds[k + 1]), v), mapKeys(Buckets), mapValues(Buckets))),
                arrayMap((k, v) -> tuple(-exp2((k + 1) * exp2(-Scale)), -exp2(k * exp2(-Scale)), v), mapKeys(Negative), mapValues(Negative)),
                [tuple(0., 0., Zero)])) AS Cell
        FROM histogram_minutes FINAL
        WHERE Measure IN {measures:Array(String)} AND GatewayId IN {gateways:Array(String)}
            AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')} AND Items > 0
    ),
    banded AS (
        SELECT Measure, D, Own, Minute, Items, Cell.3 AS C, Bridge, Shift, JSONExtract(Own, 'Map(String, String)') AS Told,
-- include asked_squares
            AS Squared,
            -- (low, high]: a middle, and zero, stand for themselves.
            ifNull(toString(arrayLastOrNull(c -> if(Cell.1 = Cell.2, Cell.1 > c, Cell.1 >= c), F.4)), '-inf') AS Gt,
            ifNull(toString(arrayFirstOrNull(c -> Cell.2 <= c, F.4)), 'inf') AS Le
        FROM cells
    ),
    fresh AS (
        SELECT Measure, D, Minute, toJSONString(CAST(mapSort(mapUpdate(JSONExtract(Own, 'Map(String, String)'), map('gt', Gt, 'le', Le))), 'Map(String, String)')) AS Attributes,
            any(Squared) AS S, S IS NULL AS Unknown,
            tuple(if(Unknown, 0, round(sum(C), 6)), if(Unknown, 0, round(sum(C) * ifNull(S, 0), 6)), if(Unknown, 0, max(Items)),
                if(Unknown, toUInt64(round(sum(C))), 0), if(Unknown, 0, round(sum(C * Bridge), 6)), if(Unknown, 0, round(sum(C * Shift), 6))) AS Figures
        FROM banded
        GROUP BY Measure, D, Own, Minute, Gt, Le
        HAVING Figures.1 > 0 OR Figures.4 > 0
    ),
-- include settle_counts
