-- The named days, refolded whole from their hours as fold_hours.sql does it from minutes; only rows that differ are written.
INSERT INTO count_days (Measure, GatewayId, ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Day, Events, Squares, Items, Unweighted, Bridged, Shifted, Last, Revision)
WITH both AS (
    SELECT true AS New, Measure, GatewayId, KeyId, toStartOfDay(Hour) AS Day,
        any(tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes)) AS D,
        tuple(round(sum(Events), 6), round(sum(Squares), 6), sum(Items), sum(Unweighted), round(sum(Bridged), 6), round(sum(Shifted), 6),
            max(Last)) AS Figures
    FROM count_hours FINAL
    WHERE toStartOfDay(Hour) IN {days:Array(DateTime('UTC'))} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
    GROUP BY Measure, GatewayId, KeyId, Day
    UNION ALL
    SELECT false, Measure, GatewayId, KeyId, Day, tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes),
        tuple(Events, Squares, Items, Unweighted, Bridged, Shifted, Last)
    FROM count_days FINAL
    WHERE Day IN {days:Array(DateTime('UTC'))}
),
settled AS (
    SELECT Measure, GatewayId, Day, any(D) AS Names, anyIf(Figures, New) AS Now, anyIf(Figures, NOT New) AS Was
    FROM both
    GROUP BY Measure, GatewayId, KeyId, Day
    HAVING Now != Was
)
SELECT Measure, GatewayId, Names.1, Names.2, Names.3, Names.4, Names.5, Names.6, Names.7, Names.8, Names.9, Day,
    Now.1, Now.2, Now.3, Now.4, Now.5, Now.6, Now.7, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
