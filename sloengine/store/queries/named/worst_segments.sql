-- Segments with the worst accuracy, of all declared ones, with an interval of 95 %: sorted by the interval's upper end, so that three unlucky labels
-- don't lead the list. Only segments with at least so many effective labels.
-- param: since Duration = 30d  how far back, by the time of the prediction
-- param: model Text =  only this model
-- param: least Integer = 20  effective labels that a segment must have
-- param: top Integer = 20  how many segments
WITH
    told AS (
        SELECT ServiceName, PredictionId, any(p.ModelName) AS Model, any(p.ModelVersion) AS Version, any(p.Segments) AS Parts, any(p.Label) AS Predicted,
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
SELECT Model AS model, Version AS version, replaceOne(part.1, 'edge.segment.', '') AS segment, part.2 AS value, sum(Weighed) AS labelled,
    pow(labelled, 2) / sum(Weighed * Weighed) AS effective, sumIf(Weighed, Held = Predicted) / labelled AS accuracy,
    sloengine_wilson(accuracy * effective, effective, 1.959964).low AS low, sloengine_wilson(accuracy * effective, effective, 1.959964).high AS high
FROM (SELECT told.*, assumeNotNull(told.W) AS Weighed, if(given.Truth != '', given.Truth, told.Known) AS Held
    FROM told LEFT JOIN given ON told.PredictionId = given.PredictionId)
ARRAY JOIN CAST(Parts, 'Array(Tuple(String, String))') AS part
WHERE Held != '' AND Predicted != '' AND W IS NOT NULL
GROUP BY model, version, segment, value
HAVING effective >= {least:Float64}
ORDER BY high, accuracy, model, version, segment, value
LIMIT {top:UInt64}
