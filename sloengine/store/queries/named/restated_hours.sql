-- Hours whose counts changed after the fact, and why: late data, corrected clocks, quarantines.
-- param: since Duration = 7d  how far back, by when the change was made
-- param: measure Text =  only this measure
SELECT Hour AS hour, Measure AS measure, ServiceName AS service, ModelName AS model, Region AS region, GatewayId AS gateway, Cause AS cause,
    sum(r.Minutes) AS minutes, sum(r.Before) AS before, sum(r.After) AS after, max(r.At) AS newest
FROM restatements AS r
WHERE r.At >= now() - toIntervalSecond({since:UInt64}) AND ({measure:String} = '' OR r.Measure = {measure:String})
GROUP BY hour, measure, service, model, region, gateway, cause
ORDER BY hour DESC, measure, gateway
