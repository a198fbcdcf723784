-- The named hours of some measures, refolded whole from their minutes; only rows that differ are written. As fold_hours.sql, but for the measures
-- of one job: it folds its own hours before it moves its own watermark, or a crash in between would lose them.
INSERT INTO count_hours (Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Hour, Events, Squares, Items, Unweighted, Bridged, Shifted, Last, Revision)
WITH both AS (
    SELECT true AS New, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
        toStartOfHour(Minute) AS Hour, tuple(round(sum(Events), 6), round(sum(Squares), 6), sum(Items), sum(Unweighted), round(sum(Bridged), 6), round(sum(Shifted), 6),
        maxIf(Minute, Items + Unweighted > 0)) AS Figures
    FROM count_minutes FINAL
    WHERE toStartOfHour(Minute) IN {hours:Array(DateTime('UTC'))} AND Measure IN {measures:Array(String)}
        AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
    GROUP BY Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes, Hour
    UNION ALL
    SELECT false, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
        Hour, tuple(Events, Squares, Items, Unweighted, Bridged, Shifted, Last)
    FROM count_hours FINAL
    WHERE Hour IN {hours:Array(DateTime('UTC'))} AND Measure IN {measures:Array(String)}
        AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
)
SELECT Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes, Hour,
    sumIf(Figures.1, New) AS Events, sumIf(Figures.2, New) AS Squares, sumIf(Figures.3, New) AS Items, sumIf(Figures.4, New) AS Unweighted,
    sumIf(Figures.5, New) AS Bridged, sumIf(Figures.6, New) AS Shifted, maxIf(Figures.7, New) AS Last, {revision:UInt64}
FROM both
GROUP BY Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes, Hour
HAVING (Events, Squares, Items, Unweighted, Bridged, Shifted, Last) != (sumIf(Figures.1, NOT New), sumIf(Figures.2, NOT New),
    sumIf(Figures.3, NOT New), sumIf(Figures.4, NOT New), sumIf(Figures.5, NOT New), sumIf(Figures.6, NOT New), maxIf(Figures.7, NOT New))
SETTINGS do_not_merge_across_partitions_select_final = 1
