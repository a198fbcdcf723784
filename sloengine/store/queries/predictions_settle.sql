    -- Included at the end of a fold: as settle_counts.sql, but of the named units only.
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
                AND (empty({units:Array(Tuple(UInt16, UInt32))}) OR
                    tuple(transform(toString(GatewayId), {gateways:Array(String)}, arrayMap(i -> toUInt16(i), arrayEnumerate({gateways:Array(String)})), toUInt16(0)), toUInt32(dateDiff('second', {lo:DateTime('UTC')}, Minute)))
                        IN {units:Array(Tuple(UInt16, UInt32))})
                AND (empty({hours:Array(UInt32)}) OR toStartOfHour(Minute) IN arrayMap(h -> toDateTime(h * 3600, 'UTC'), {hours:Array(UInt32)}))
        )
        GROUP BY Measure, D, Attributes, Minute
        HAVING Now != Was
    )
SELECT Measure, D.1, D.2, D.3, D.4, D.5, D.6, D.7, D.8, D.9, Attributes, Minute, Now.1, Now.2, Now.3, Now.4, Now.5, Now.6,
    if(empty({units:Array(Tuple(UInt16, UInt32))}), {causes:Array(String)}[1], -- `why` has one digit for each unit: the place of its cause.
        {causes:Array(String)}[toUInt8OrZero(substring({why:String}, indexOf({units:Array(Tuple(UInt16, UInt32))},
        tuple(transform(toString(D.5), {gateways:Array(String)}, arrayMap(i -> toUInt16(i), arrayEnumerate({gateways:Array(String)})), toUInt16(0)), toUInt32(dateDiff('second', {lo:DateTime('UTC')}, Minute)))), 1))]),
    Was.1, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
