-- How many predictions are recorded of what drifts, since it does, and how many of them have a label.
SELECT count() AS predictions, countIf(PredictionId IN (SELECT PredictionId FROM labels)) AS labelled
FROM predictions
WHERE ModelVersion = {drift_version:String} AND Segments['edge.segment.stroke'] = {drift_stroke:String} AND Timestamp >= {drift_from:DateTime('UTC')}
