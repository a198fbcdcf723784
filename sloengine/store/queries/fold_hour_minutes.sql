-- The named hours of some measures (none named: of all), their minutes put into one row for each key; only rows that differ are written. What
-- holds nothing any more is emptied. Equal rows are told by their hash: comparing arrays as values costs ten times as much.
INSERT INTO count_hour_minutes (Measure, GatewayId, ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Hour, Held, Events, Squares, Unweighted, Bridged, Shifted, Items, Revision)
WITH minutes AS (
    SELECT Measure, GatewayId, KeyId, toStartOfHour(Minute) AS Hour,
        any(tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes)) AS D,
        groupBitOr(bitShiftLeft(toUInt64(1), toMinute(Minute))) AS H, groupArray(toUInt8(toMinute(Minute))) AS M, groupArray(Events) AS E,
        groupArray(Squares) AS S, groupArray(Unweighted) AS U, groupArray(Bridged) AS B, groupArray(Shifted) AS F, sum(Items) AS N
    FROM count_minutes FINAL
    WHERE toStartOfHour(Minute) IN {hours:Array(DateTime('UTC'))} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        AND (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)}) AND Items + Unweighted > 0
    GROUP BY Measure, GatewayId, KeyId, Hour
),
fresh AS (
    SELECT Measure, GatewayId, KeyId, Hour, D, H, arraySort((v, m) -> m, E, M) AS E, if(S = minutes.E, [], arraySort((v, m) -> m, S, M)) AS S,
        if(arrayExists(v -> v != 0, U), arraySort((v, m) -> m, U, M), []) AS U,
        if(arrayExists(v -> v != 0, B), arraySort((v, m) -> m, B, M), []) AS B,
        if(arrayExists(v -> v != 0, F), arraySort((v, m) -> m, F, M), []) AS F, N
    FROM minutes
),
both AS (
    SELECT true AS New, Measure, GatewayId, KeyId, Hour, D, H, E, S, U, B, F, N, cityHash64(H, E, S, U, B, F, N) AS Hash
    FROM fresh
    UNION ALL
    SELECT false, Measure, GatewayId, KeyId, Hour, tuple(ServiceName, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Attributes),
        0, [], [], [], [], [], 0, if(Held = 0, 0, cityHash64(Held, Events, Squares, Unweighted, Bridged, Shifted, Items))
    FROM count_hour_minutes FINAL
    WHERE Hour IN {hours:Array(DateTime('UTC'))} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
        AND (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)})
),
settled AS (
    -- Of each there is one new row at most: sums, and arrays put one behind the other, are its own.
    SELECT Measure, GatewayId, Hour, any(D) AS Names, sum(H) AS Held, groupArrayArray(E) AS Events, groupArrayArray(S) AS Squares,
        groupArrayArray(U) AS Unweighted, groupArrayArray(B) AS Bridged, groupArrayArray(F) AS Shifted, sum(N) AS Items,
        maxIf(Hash, New) AS Now, maxIf(Hash, NOT New) AS Was
    FROM both
    GROUP BY Measure, GatewayId, KeyId, Hour
    HAVING Now != Was
)
SELECT Measure, GatewayId, Names.1, Names.2, Names.3, Names.4, Names.5, Names.6, Names.7, Names.8, Names.9, Hour,
    Held, Events, Squares, Unweighted, Bridged, Shifted, Items, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
