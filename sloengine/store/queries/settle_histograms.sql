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
            tuple(greatest(0, arraySum((k, c) -> if(k = 0, c, 0), Cells.1, Cells.2)),
                mapFromArrays(arrayMap(k -> toInt32(k - 4294967296), arrayFilter((k, c) -> k > 2147483647 AND c > 0, Cells.1, Cells.2)),
                    arrayFilter((c, k) -> k > 2147483647 AND c > 0, Cells.2, Cells.1)),
                mapFromArrays(arrayMap(k -> toInt32(k + 4294967296), arrayFilter((k, c) -> k < -2147483648 AND c > 0, Cells.1, Cells.2)),
                    arrayFilter((c, k) -> k < -2147483648 AND c > 0, Cells.2, Cells.1)),
                Points, toUInt64(0), CB, CS) AS Figures
        FROM sums
    ),
    settled AS (
        SELECT Measure, D, Attributes, Minute, Grid, anyIf(Figures, New) AS Now, anyIf(Figures, NOT New) AS Was
        FROM (
            SELECT true AS New, Measure, D, Attributes, Minute, Grid, Figures FROM fresh
            UNION ALL
            SELECT false, Measure, tuple(ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId),
                Attributes, Minute, tuple(Scale, Bounds), tuple(Zero, Buckets, Negative, Items, Unweighted, Bridged, Shifted)
            FROM histogram_minutes FINAL
            WHERE Measure IN {measures:Array(String)} AND GatewayId IN {gateways:Array(String)} AND empty(Bounds) = {exponential:Bool}
                AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        )
        GROUP BY Measure, D, Attributes, Minute, Grid
        HAVING cityHash64(Now) != cityHash64(Was)
    )
SELECT Measure, D.1, D.2, D.3, D.4, D.5, D.6, D.7, D.8, D.9, Attributes, Minute, Grid.1, Grid.2, Now.1, Now.2, Now.3, Now.4, Now.5, Now.6, Now.7,
    {cause:String}, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
