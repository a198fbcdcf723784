-- The named hours, refolded whole from their minutes; only rows that differ are written. Sums are rounded to a millionth: the order in which
-- floats are added differs from run to run, and a re-run must write nothing.
INSERT INTO count_hours (Measure, GatewayId, ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Hour, Events, Squares, Items, Unweighted, Bridged, Shifted, Last, Revision)
WITH both AS (
    SELECT true AS New, Measure, GatewayId, KeyId, toStartOfHour(Minute) AS Hour,
        any(tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes)) AS D,
        tuple(round(sum(Events), 6), round(sum(Squares), 6), sum(Items), sum(Unweighted), round(sum(Bridged), 6), round(sum(Shifted), 6),
            maxIf(Minute, Items + Unweighted > 0)) AS Figures
    FROM count_minutes FINAL
    WHERE toStartOfHour(Minute) IN {hours:Array(DateTime('UTC'))} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
    GROUP BY Measure, GatewayId, KeyId, Hour
    UNION ALL
    SELECT false, Measure, GatewayId, KeyId, Hour, tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes),
        tuple(Events, Squares, Items, Unweighted, Bridged, Shifted, Last)
    FROM count_hours FINAL
    WHERE Hour IN {hours:Array(DateTime('UTC'))} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
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
