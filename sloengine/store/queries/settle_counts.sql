    -- Included at the end of a fold: `fresh` against what is stored. Only rows that differ are written, so a re-run writes nothing; a stored
    -- row that is no longer there is emptied, or what moved to another key would count twice.
    settled AS (
        SELECT Measure, D, Attributes, Minute, anyIf(Figures, New) AS Now, anyIf(Figures, NOT New) AS Was
        FROM (
            SELECT true AS New, Measure, D, Attributes, Minute, Figures FROM fresh
            UNION ALL
            SELECT false, Measure, tuple(ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId),
                Attributes, Minute, tuple(Events, Squares, Items, Unweighted, Bridged, Shifted)
            FROM count_minutes FINAL
            WHERE Measure IN {measures:Array(String)} AND GatewayId IN {gateways:Array(String)}
                AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        )
        GROUP BY Measure, D, Attributes, Minute
        HAVING Now != Was
    )
SELECT Measure, D.1, D.2, D.3, D.4, D.5, D.6, D.7, D.8, D.9, Attributes, Minute, Now.1, Now.2, Now.3, Now.4, Now.5, Now.6,
    {cause:String}, Was.1, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
