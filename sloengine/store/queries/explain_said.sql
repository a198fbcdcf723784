-- What was said of one slice of an SLO at a moment: the newest status at or before it, as known then.
SELECT At, State, Reason, Target, Sli, Good, Bad, Unknown, Coverage, BudgetRemaining, Burn, Sampled
FROM slo_status
WHERE Slo = {slo:String} AND mapSort(Slice) = mapSort({slice:Map(String, String)}) AND At <= {at:DateTime('UTC')} AND At > {at:DateTime('UTC')} - toIntervalDay(1)
ORDER BY At DESC
LIMIT 1
