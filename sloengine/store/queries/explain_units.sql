-- As explain_windows.sql, where nodes or sites are the events: each by its ratio (`share`), by whether it keeps the promise (`keep`), or the worst
-- of them together (`worst`). One that was silent in a window is unknown there.
WITH
-- include explain_counted
SELECT window, target,
    multiIf({promise:String} = 'share', arraySum(u -> u.3 / (u.3 + u.4), valid), {promise:String} = 'keep',
        toFloat64(arrayCount(u -> 1 - u.1 >= {reach:Float64}, valid)), arraySum(u -> u.3, worst)) AS good,
    if({promise:String} = 'worst', arraySum(u -> u.4, worst), length(valid) - good) AS bad,
    if({promise:String} = 'worst', arraySum(u -> u.5, worst), toFloat64(length(units) - length(valid))) AS unknown,
    bad / nullIf(good + bad, 0) AS bad_ratio, if(target = 1, bad, bad_ratio / (1 - target)) AS burn
FROM (
    SELECT window, target, groupArray(tuple(bad / (good + bad), unit, good, bad, unknown)) AS units,
        arraySort(arrayFilter(u -> u.3 + u.4 > 0, units)) AS valid,
        arraySlice(valid, -greatest(1, toInt64(round({share:Float64} * length(valid))))) AS worst
    FROM (
        SELECT W.1 AS window, W.4 AS target, $unit AS unit, round(sumIf(c.Events * c.Unknown + c.Unweighted, c.Minute >= W.2 AND c.Minute < W.3), 6) AS unknown,
            greatest(0, round(sumIf(c.Events * c.Good, c.Minute >= W.2 AND c.Minute < W.3), 6)) + unknown * {unknown_good:Float64} AS good,
            greatest(0, round(sumIf(c.Events * c.Bad, c.Minute >= W.2 AND c.Minute < W.3), 6)) + unknown * {unknown_bad:Float64} AS bad
        FROM counted AS c
        ARRAY JOIN {windows:Array(Tuple(String, DateTime('UTC'), DateTime('UTC'), Float64))} AS W
        GROUP BY W.1, W.2, W.4, unit
    )
    GROUP BY window, target
)
ORDER BY window
