-- How sure a model is: sampled predictions per tenth of the score, as estimated numbers and shares, beside how many were sampled. Those of unknown
-- weight are in no share.
-- param: since Duration = 7d  how far back
-- param: model Text =  only this model
SELECT model, version, least(9, floor(score * 10)) / 10 AS bin, count() AS sampled, countIf(weight IS NULL) AS of_unknown_weight,
    sum(ifNull(weight, 0)) AS estimated, estimated / nullIf(sum(estimated) OVER (PARTITION BY model, version), 0) AS share
FROM (
    SELECT ServiceName, PredictionId, any(p.ModelName) AS model, any(p.ModelVersion) AS version, assumeNotNull(any(p.Score)) AS score, any(p.Weight) AS weight
    FROM predictions AS p
    WHERE Timestamp >= now() - toIntervalSecond({since:UInt64}) AND Score IS NOT NULL AND ({model:String} = '' OR ModelName = {model:String})
    GROUP BY ServiceName, PredictionId
)
GROUP BY model, version, bin
ORDER BY model, version, bin
