-- The named hours of some measures (none named: of all), refolded whole from their minutes, which fold_hour_minutes.sql has just put together;
-- only rows that differ are written. Sums are rounded to a millionth, as they are of minutes: what is said of them must not depend on the order.
INSERT INTO count_hours (Measure, GatewayId, ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Hour, Events, Squares, Items, Unweighted, Bridged, Shifted, Last, Revision)
WITH both AS (
    SELECT true AS New, m.Measure AS Measure, m.GatewayId AS GatewayId, m.KeyId AS KeyId, m.Hour AS Hour,
        tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes) AS D,
        tuple(round(arraySum(m.Events), 6), round(arraySum(if(empty(m.Squares), m.Events, m.Squares)), 6), Items, arraySum(m.Unweighted),
            round(arraySum(m.Bridged), 6), round(arraySum(m.Shifted), 6),
            if(Held = 0, toDateTime(0, 'UTC'), m.Hour + toIntervalMinute(arrayMax(bitPositionsToArray(Held))))) AS Figures
    FROM count_hour_minutes AS m FINAL
    WHERE m.Hour IN {hours:Array(DateTime('UTC'))} AND m.Hour >= {lo:DateTime('UTC')} AND m.Hour < {hi:DateTime('UTC')}
        AND (empty({measures:Array(String)}) OR m.Measure IN {measures:Array(String)})
    UNION ALL
    SELECT false, Measure, GatewayId, KeyId, Hour, tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes),
        tuple(Events, Squares, Items, Unweighted, Bridged, Shifted, Last)
    FROM count_hours FINAL
    WHERE Hour IN {hours:Array(DateTime('UTC'))} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
        AND (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)})
),
settled AS (
    SELECT Measure, GatewayId, Hour, any(D) AS Names, anyIf(Figures, New) AS Now, anyIf(Figures, NOT New) AS Was
    FROM both
    GROUP BY Measure, GatewayId, KeyId, Hour
    HAVING Now != Was
)
SELECT Measure, GatewayId, Names.1, Names.2, Names.3, Names.4, Names.5, Names.6, Names.7, Names.8, Names.9, Hour,
    Now.1, Now.2, Now.3, Now.4, Now.5, Now.6, Now.7, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
