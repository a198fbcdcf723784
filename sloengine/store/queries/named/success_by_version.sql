-- Success rate of each model version, as corrected now.
-- param: since Duration = 1d  how far back
-- param: model Text =  only this model
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region,
    sumIf(c.Events, JSONExtractString(c.Attributes, 'edge.inference.outcome') = 'success') AS good,
    sumIf(c.Events, JSONExtractString(c.Attributes, 'edge.inference.outcome') = 'failure') AS bad,
    good / nullIf(good + bad, 0) AS success_rate, sum(c.Bridged) AS of_no_known_minute
FROM count_minutes AS c FINAL
WHERE Measure = 'edge.inference.requests' AND Minute >= now() - toIntervalSecond({since:UInt64})
    AND ({model:String} = '' OR ModelName = {model:String})
GROUP BY service, model, version, region
HAVING good + bad > 0
ORDER BY success_rate, service, model, version, region
