-- Accuracy by declared segment and model version, by the time of the prediction, with how many have a label: what is not labelled yet is counted.
-- Sampled predictions weigh what they stand for.
-- param: segment Segment  name of the segment, as in edge.segment.<name>
-- param: since Duration = 30d  how far back
-- param: model Text =  only this model
WITH
    told AS (
        SELECT ServiceName, PredictionId, any(p.ModelName) AS Model, any(p.ModelVersion) AS Version,
            any(p.Segments[concat('edge.segment.', {segment:String})]) AS Segment, any(p.Label) AS Predicted, any(p.Truth) AS Known, any(ifNull(p.Weight, 0)) AS W
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
SELECT Model AS model, Version AS version, Segment AS segment, sum(W) AS predictions,
    sumIf(W, Held != '') AS labelled, labelled / nullIf(predictions, 0) AS coverage, sumIf(W, Held != '' AND Held = Predicted) AS correct,
    correct / nullIf(labelled, 0) AS accuracy
FROM (SELECT told.*, if(given.Truth != '', given.Truth, told.Known) AS Held FROM told LEFT JOIN given ON told.PredictionId = given.PredictionId)
GROUP BY model, version, segment
ORDER BY accuracy, model, version, segment
