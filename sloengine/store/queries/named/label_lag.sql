-- How long labels take: per day of the prediction, how many have none yet, and quantiles of the lag of those that have one, hours.
-- param: since Duration = 30d  how far back
-- param: model Text =  only this model
WITH given AS (SELECT PredictionId, min(l.At) AS First FROM labels AS l GROUP BY PredictionId)
SELECT toDate(p.At) AS day, p.Model AS model, count() AS predictions, countIf(g.PredictionId = '') AS waiting,
    round(quantileExactIf(0.5)(dateDiff('second', p.At, g.First) / 3600, g.PredictionId != ''), 3) AS p50_h,
    round(quantileExactIf(0.9)(dateDiff('second', p.At, g.First) / 3600, g.PredictionId != ''), 3) AS p90_h,
    round(maxIf(dateDiff('second', p.At, g.First) / 3600, g.PredictionId != ''), 3) AS longest_h
FROM (
    SELECT ServiceName, PredictionId, any(q.ModelName) AS Model, min(q.Timestamp) AS At
    FROM predictions AS q
    WHERE Timestamp >= now() - toIntervalSecond({since:UInt64}) AND ({model:String} = '' OR ModelName = {model:String})
    GROUP BY ServiceName, PredictionId
) AS p
LEFT JOIN given AS g ON p.PredictionId = g.PredictionId
GROUP BY day, model
ORDER BY day DESC, model
