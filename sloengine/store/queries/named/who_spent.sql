-- Who spent the budget: failed requests by version, region, gateway and rollout, each one's share of all failures beside its share of all requests. A
-- part whose lift is far above 1 fails more than its size explains.
-- param: since Duration = 30d  how far back: the SLO's window
-- param: service Text =  only this service
-- param: model Text =  only this model
-- param: top Integer = 20  how many parts
SELECT *
FROM (
    SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
        sumIf(c.Events, JSONExtractString(c.Attributes, 'edge.inference.outcome') = 'failure') AS bad,
        sumIf(c.Events, JSONExtractString(c.Attributes, 'edge.inference.outcome') IN ('success', 'failure')) AS requests,
        bad / nullIf(sum(bad) OVER (), 0) AS share_of_bad, requests / nullIf(sum(requests) OVER (), 0) AS share_of_requests,
        share_of_bad / nullIf(share_of_requests, 0) AS lift
    FROM count_minutes AS c FINAL
    WHERE Measure = 'edge.inference.requests' AND Minute >= now() - toIntervalSecond({since:UInt64})
        AND ({service:String} = '' OR ServiceName = {service:String}) AND ({model:String} = '' OR ModelName = {model:String})
    GROUP BY service, model, version, region, gateway, rollout
)
WHERE bad > 0
ORDER BY bad DESC, service, model, version, region, gateway, rollout
LIMIT {top:UInt64}
