-- Every window of every SLO in one pass: sums per key and band of time. Bands lie between neighbouring cuts (where a window begins, an
-- exclusion begins or ends, a target changed); a window is the sum of its bands. Whole days come from the days, the days that a cut
-- divides from their hours, the hours that one divides from the minutes that each keeps in one row (0070_count_hour_minutes.sql). A band is named
-- by the cut that it begins at; roundDown searches for it in halves, where a lambda would compare each row with every cut. What a KeyId stands
-- for, window_keys.sql says.
WITH bands AS (
    -- What each band takes of an hour: the bits of its minutes, and of those before them. It divides the hours it begins and ends in, no others.
    SELECT Cut, Hour, bitShiftLeft(toUInt64(1), Lo) - 1 AS Before, bitShiftLeft(toUInt64(1), Hi) - bitShiftLeft(toUInt64(1), Lo) AS Mine
    FROM (
        SELECT B.1 AS Cut, toDateTime(arrayJoin(arrayDistinct([intDiv(B.1, 3600), intDiv(B.2 - 1, 3600)])) * 3600, 'UTC') AS Hour,
            toUInt8(intDiv(greatest(0, toInt64(B.1) - toUnixTimestamp(Hour)) + 59, 60)) AS Lo,
            toUInt8(intDiv(least(3600, toInt64(B.2) - toUnixTimestamp(Hour)) + 59, 60)) AS Hi
        FROM (
            SELECT CAST({cuts:Array(DateTime('UTC'))}, 'Array(UInt32)') AS C, toUnixTimestamp({end:DateTime('UTC')}) + 1 AS End,
                arrayJoin(arrayZip(C, arrayPushBack(arrayPopFront(C), End))) AS B
        )
    )
)
SELECT KeyId, Cut, sum(Events) AS Events, sum(Squares) AS Squares, sum(Unweighted) AS Unweighted, sum(Bridged) AS Bridged,
    sum(Shifted) AS Shifted, toUnixTimestamp(max(Last)) AS Last
FROM (
    WITH bitCount(bitAnd(Held, Before)) + 1 AS First, bitCount(bitAnd(Held, Mine)) AS Many
    SELECT KeyId, Cut, arraySum(arraySlice(E, First, Many)) AS Events, if(empty(S), Events, arraySum(arraySlice(S, First, Many))) AS Squares,
        toFloat64(arraySum(arraySlice(U, First, Many))) AS Unweighted, arraySum(arraySlice(B, First, Many)) AS Bridged,
        arraySum(arraySlice(F, First, Many)) AS Shifted,
        if(Many = 0, toDateTime(0, 'UTC'), Hour + toIntervalMinute(log2(roundToExp2(bitAnd(Held, Mine))))) AS Last
    FROM (
        SELECT KeyId, Hour, Held, Events AS E, Squares AS S, Unweighted AS U, Bridged AS B, Shifted AS F
        FROM count_hour_minutes FINAL
        WHERE Hour IN {ragged_hours:Array(DateTime('UTC'))} AND Measure IN {measures:Array(String)}
    ) AS hours
    INNER JOIN bands USING (Hour)
    UNION ALL
    SELECT KeyId, roundDown(toUnixTimestamp(Minute), CAST({cuts:Array(DateTime('UTC'))}, 'Array(UInt32)')), Events, Squares, toFloat64(Unweighted),
        Bridged, Shifted, if(Items + Unweighted > 0, Minute, toDateTime(0, 'UTC'))
    FROM count_minutes FINAL
    WHERE toStartOfHour(Minute) IN {ragged_hours:Array(DateTime('UTC'))} AND Minute >= {cuts:Array(DateTime('UTC'))}[1]
        AND Minute <= {end:DateTime('UTC')} AND Measure IN {measures:Array(String)}
-- include window_unkept
    UNION ALL
    SELECT KeyId, roundDown(toUnixTimestamp(Hour), CAST({cuts:Array(DateTime('UTC'))}, 'Array(UInt32)')), Events, Squares, toFloat64(Unweighted),
        Bridged, Shifted, Last
    FROM count_hours FINAL
    WHERE toStartOfDay(Hour) IN {ragged_days:Array(DateTime('UTC'))} AND Hour NOT IN {ragged_hours:Array(DateTime('UTC'))}
        AND Hour >= {cuts:Array(DateTime('UTC'))}[1] AND Hour <= {end:DateTime('UTC')} AND Measure IN {measures:Array(String)}
    UNION ALL
    SELECT KeyId, roundDown(toUnixTimestamp(Day), CAST({cuts:Array(DateTime('UTC'))}, 'Array(UInt32)')), Events, Squares, toFloat64(Unweighted),
        Bridged, Shifted, Last
    FROM count_days FINAL
    WHERE Day NOT IN {ragged_days:Array(DateTime('UTC'))}
        AND Day >= {cuts:Array(DateTime('UTC'))}[1] AND Day <= {end:DateTime('UTC')} AND Measure IN {measures:Array(String)}
)
GROUP BY KeyId, Cut
LIMIT {rows_max:UInt64}
-- Aggregating in two levels would give 256 small blocks, and these cost more to send than all of the rest.
SETTINGS do_not_merge_across_partitions_select_final = 1, group_by_two_level_threshold = 0, group_by_two_level_threshold_bytes = 0
