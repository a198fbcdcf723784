    -- Included at the end of a histogram's fold: signed changes of buckets to buckets, and these against what is stored. Only rows that
    -- differ are written; a stored row that is no longer there is emptied: a late point can make a step coarser, and it would count twice.
    -- A bucket's code is side * 2^32 + index, side 1 for positive values, -1 for negative ones, 0 for zero.
    sums AS (
        SELECT Measure, D, Minute, Grid,
-- include asked_key
            , sumMap(Codes, Changes) AS Cells, sum(Items) AS Points,
            greatest(0, sumIf(Change, Bridges)) AS CB, greatest(0, sumIf(Change, Shift != 0)) AS CS
        FROM changes
        INNER JOIN series USING (SeriesId)
        GROUP BY Measure, D, F, Asked, Minute, Grid
    ),
    fresh AS (
        SELECT Measure, D, Minute, Grid, Attributes,
            -- A bucket that is emptied went into zero: a threshold of zero that is raised takes the smallest values with it.
            tuple(greatest(0, arraySum((k, c) -> if(k = 0 OR c < 0, c, 0), Cells.1, Cells.2)),
                mapFromArrays(arrayMap(k -> toInt32(k - 4294967296), arrayFilter((k, c) -> k > 2147483647 AND c > 0, Cells.1, Cells.2)),
                    arrayFilter((c, k) -> k > 2147483647 AND c > 0, Cells.2, Cells.1)),
                mapFromArrays(arrayMap(k -> toInt32(k + 4294967296), arrayFilter((k, c) -> k < -2147483648 AND c > 0, Cells.1, Cells.2)),
                    arrayFilter((c, k) -> k < -2147483648 AND c > 0, Cells.2, Cells.1)),
                Points, toUInt64(0), CB, CS) AS Figures
        FROM sums
    ),
    both AS (
        -- What a row is told apart by and what it says, each as one number: aggregating maps, even to take the only one, costs as much as folding.
        SELECT true AS New, Measure, D, Attributes, Minute, Grid, D.5 AS Gateway,
            sipHash64(Measure, D, Attributes, Grid) AS Id, Figures, cityHash64(Figures) AS Hash
        FROM fresh
        UNION ALL
        -- Written where nothing fresh stands against it: emptied.
        SELECT false, Measure, tuple(ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId) AS D,
            Attributes, Minute, tuple(Scale, Bounds) AS Grid, GatewayId, sipHash64(Measure, D, Attributes, Grid),
            tuple(0., CAST(map(), 'Map(Int32, Float64)'), CAST(map(), 'Map(Int32, Float64)'), toUInt64(0), toUInt64(0), 0., 0.) AS Nothing,
            if(tuple(Zero, Buckets, Negative, Items, Unweighted, Bridged, Shifted) = Nothing, 0,
                cityHash64(tuple(Zero, Buckets, Negative, Items, Unweighted, Bridged, Shifted)))
        FROM histogram_minutes FINAL
        WHERE Measure IN {measures:Array(String)} AND GatewayId IN {gateways:Array(String)} AND empty(Bounds) = {exponential:Bool}
            AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
    ),
    settled AS (
        SELECT *, maxIf(Hash, New) OVER k AS Now, maxIf(Hash, NOT New) OVER k AS Was
        FROM both
        -- The gateway stands beside the number, so whoever could craft two keys of one number would only hide figures of their own.
        WINDOW k AS (PARTITION BY Minute, Gateway, Id)
    )
SELECT Measure, D.1, D.2, D.3, D.4, D.5, D.6, D.7, D.8, D.9, Attributes, Minute, Grid.1, Grid.2,
    Figures.1, Figures.2, Figures.3, Figures.4, Figures.5, Figures.6, Figures.7, {cause:String}, {revision:UInt64}
FROM settled
WHERE Now != Was AND (New OR Now = 0)
SETTINGS do_not_merge_across_partitions_select_final = 1
