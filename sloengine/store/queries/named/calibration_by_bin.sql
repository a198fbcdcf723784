-- Whether scores mean what they say: mean score against accuracy of labelled predictions, per tenth of the score, with an interval of 95 % of the
-- accuracy from the effective number of labels. A mean score outside of low and high is over- or under-confidence.
-- param: since Duration = 30d  how far back, by the time of the prediction
-- param: model Text =  only this model
WITH
    told AS (
        SELECT ServiceName, PredictionId, any(p.ModelName) AS Model, any(p.ModelVersion) AS Version, any(p.Score) AS Scored, any(p.Label) AS Predicted,
            any(p.Truth) AS Known, any(p.Weight) AS W
        FROM predictions AS p
        WHERE Timestamp >= now() - toIntervalSecond({since:UInt64}) AND ({model:String} = '' OR ModelName = {model:String})
        GROUP BY ServiceName, PredictionId
    ),
    given AS (
        SELECT PredictionId, argMax(l.Truth, tuple(l.At, l.IngestTime)) AS Truth
        FROM labels AS l
        WHERE PredictionId IN (SELECT PredictionId FROM told)
        GROUP BY PredictionId
    )
SELECT Model AS model, Version AS version, least(9, floor(assumeNotNull(Scored) * 10)) / 10 AS bin, sum(Weighed) AS labelled,
    pow(labelled, 2) / sum(Weighed * Weighed) AS effective, sum(Weighed * assumeNotNull(Scored)) / labelled AS mean_score,
    sumIf(Weighed, Held = Predicted) / labelled AS accuracy, sloengine_wilson(accuracy * effective, effective, 1.959964).low AS low,
    sloengine_wilson(accuracy * effective, effective, 1.959964).high AS high, mean_score - accuracy AS overconfidence
FROM (SELECT told.*, assumeNotNull(told.W) AS Weighed, if(given.Truth != '', given.Truth, told.Known) AS Held
    FROM told LEFT JOIN given ON told.PredictionId = given.PredictionId)
WHERE Held != '' AND Predicted != '' AND Scored IS NOT NULL AND W IS NOT NULL
GROUP BY model, version, bin
ORDER BY model, version, bin
