-- What was said of an SLO hour by hour, as known then: state, ratio, budget and how much was counted.
-- param: slo Slo  the SLO
-- param: since Duration = 7d  how far back
SELECT toStartOfHour(At) AS hour, toString(Slice) AS slice, argMax(State, At) AS state, argMax(Sli, At) AS sli, argMax(BudgetRemaining, At) AS budget_left,
    min(BudgetRemaining) AS least, argMax(Good, At) AS good, argMax(Bad, At) AS bad, argMax(Coverage, At) AS coverage
FROM slo_status
WHERE Slo = {slo:String} AND At >= now() - toIntervalSecond({since:UInt64})
GROUP BY hour, slice
ORDER BY hour DESC, slice
