-- When a label first stood beside each prediction of a service, seconds after the prediction: what an alert could have known, and when. It is
-- known once both the record and a label have come in; what a record itself knew came with it.
WITH
    own AS (
        SELECT PredictionId, min(Timestamp) AS At, min(IngestTime) AS Came, max(Truth != '') AS Told
        FROM predictions
        WHERE ServiceName = {service:String} AND Timestamp >= {from:DateTime('UTC')} AND Timestamp < {until:DateTime('UTC')}
        GROUP BY PredictionId
    ),
    given AS (
        SELECT PredictionId, min(IngestTime) AS First
        FROM labels
        WHERE ServiceName IN ('', {service:String}) AND PredictionId IN (SELECT PredictionId FROM own)
        GROUP BY PredictionId
    )
SELECT count() AS Predictions, countIf(Known) AS Labelled, avgIf(Lag, Known) AS MeanS, quantileIf(0.9)(Lag, Known) AS LateS
FROM (
    SELECT own.Told OR given.PredictionId != '' AS Known,
        greatest(0, dateDiff('second', own.At, if(own.Told OR given.First <= own.Came, own.Came, given.First))) AS Lag
    FROM own
    LEFT JOIN given ON own.PredictionId = given.PredictionId
)
