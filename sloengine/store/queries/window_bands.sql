-- Every window of every SLO in one pass: sums per key and band of time. Bands lie between neighbouring cuts (where a window begins, an
-- exclusion begins or ends, a target changed); a window is the sum of its bands. Whole days come from the days, the days that a cut
-- divides from their hours, the hours that one divides from their minutes. A band is named by the cut that it begins at; roundDown searches
-- for it in halves, where a lambda would compare each of ten million rows with every cut. What a KeyId stands for, window_keys.sql says.
SELECT KeyId, roundDown(toUnixTimestamp(At), CAST({cuts:Array(DateTime('UTC'))}, 'Array(UInt32)')) AS Cut,
    sum(Events) AS Events, sum(Squares) AS Squares, sum(Unweighted) AS Unweighted, sum(Bridged) AS Bridged, sum(Shifted) AS Shifted,
    toUnixTimestamp(max(L)) AS Last
FROM (
    SELECT KeyId, Minute AS At, Events, Squares, toFloat64(Unweighted) AS Unweighted, Bridged, Shifted, if(Items + Unweighted > 0, Minute, toDateTime(0, 'UTC')) AS L
    FROM count_minutes FINAL
    WHERE toStartOfHour(Minute) IN {ragged_hours:Array(DateTime('UTC'))} AND Minute >= {cuts:Array(DateTime('UTC'))}[1]
        AND Minute <= {end:DateTime('UTC')} AND Measure IN {measures:Array(String)}
    UNION ALL
    SELECT KeyId, Hour, Events, Squares, toFloat64(Unweighted), Bridged, Shifted, Last
    FROM count_hours FINAL
    WHERE toStartOfDay(Hour) IN {ragged_days:Array(DateTime('UTC'))} AND Hour NOT IN {ragged_hours:Array(DateTime('UTC'))}
        AND Hour >= {cuts:Array(DateTime('UTC'))}[1] AND Hour <= {end:DateTime('UTC')} AND Measure IN {measures:Array(String)}
    UNION ALL
    SELECT KeyId, Day, Events, Squares, toFloat64(Unweighted), Bridged, Shifted, Last
    FROM count_days FINAL
    WHERE Day NOT IN {ragged_days:Array(DateTime('UTC'))}
        AND Day >= {cuts:Array(DateTime('UTC'))}[1] AND Day <= {end:DateTime('UTC')} AND Measure IN {measures:Array(String)}
)
GROUP BY KeyId, Cut
LIMIT {rows_max:UInt64}
SETTINGS do_not_merge_across_partitions_select_final = 1
