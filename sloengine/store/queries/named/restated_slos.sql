-- What was said of an SLO and would be said otherwise now: hours in which its counts changed after the fact, by cause, beside the budget as it was said
-- at that hour's end. Causes: late data (arrival), clocks, quarantine, exclusion, backfill. Measures are those of its service.
-- param: slo Slo  the SLO
-- param: since Duration = 7d  how far back, by the hour that changed
SELECT r.Hour AS hour, r.Cause AS cause, r.Measure AS measure, r.Region AS region, sum(r.Before) AS before, sum(r.After) AS after, after - before AS change,
    max(r.At) AS newest, any(said.least) AS budget_said
FROM restatements AS r
LEFT JOIN (
    SELECT toStartOfHour(At) AS hour, ServiceName AS service, min(BudgetRemaining) AS least
    FROM slo_status
    WHERE Slo = {slo:String} AND At >= now() - toIntervalSecond({since:UInt64})
    GROUP BY hour, service
) AS said ON said.hour = r.Hour AND said.service = r.ServiceName
WHERE r.Hour >= now() - toIntervalSecond({since:UInt64}) AND r.ServiceName IN (SELECT DISTINCT ServiceName FROM slo_status WHERE Slo = {slo:String})
GROUP BY hour, cause, measure, region
ORDER BY hour DESC, cause, measure, region
