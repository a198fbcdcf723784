-- What was counted anew of some measures of a service, by bucket key, hour and cause: what an SLO makes of it is for its selectors to say.
SELECT Measure, ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
    Attributes, Hour, Cause, sum(r.Minutes) AS Minutes, sum(r.Before) AS Before, sum(r.After) AS After, min(r.At) AS First, max(r.At) AS Newest
FROM restatements AS r
WHERE Measure IN {measures:Array(String)} AND ServiceName = {of:String} AND Hour >= {lo:DateTime('UTC')} AND Hour <= {end:DateTime('UTC')}
GROUP BY ALL
ORDER BY Hour, Measure
