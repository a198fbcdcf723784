-- Recorded predictions of part of a fleet, of times [lo, hi), each once, with the newest label that is known of it now: what to train on, or to look at.
SELECT p.PredictionId AS PredictionId, At, p.Service AS ServiceName, R.1 AS ModelName, R.2 AS ModelVersion, R.3 AS Region, R.4 AS DeviceId, R.5 AS GatewayId,
    R.6 AS Hardware, R.7 AS RolloutId, R.8 AS Wave, R.9 AS Score, R.10 AS Predicted, if(Told != '', Told, R.11) AS Truth, R.12 AS Weight, R.13 AS Segments
FROM (
    SELECT ServiceName AS Service, PredictionId, min(Timestamp) AS At,
        argMin(tuple(toString(ModelName), toString(ModelVersion), toString(Region), toString(DeviceId), toString(GatewayId), toString(Hardware),
            toString(RolloutId), toString(Wave), Score, toString(Label), toString(Truth), Weight,
            CAST(Segments, 'Map(String, String)')), (Timestamp, IngestTime)) AS R
    FROM predictions
    WHERE ServiceName = {service:String} AND Timestamp >= {lo:DateTime('UTC')} AND Timestamp < {hi:DateTime('UTC')}
        AND (empty({models:Array(String)}) OR ModelName IN {models:Array(String)}) AND (empty({own_versions:Array(String)}) OR ModelVersion IN {own_versions:Array(String)})
        AND (empty({regions:Array(String)}) OR Region IN {regions:Array(String)}) AND (empty({devices:Array(String)}) OR DeviceId IN {devices:Array(String)})
        AND ({segment:String} = '' OR if(mapContains(Segments, {segment:String}), Segments[{segment:String}], ResourceAttributes[{segment:String}]) = {value:String})
    GROUP BY ServiceName, PredictionId
) AS p
LEFT JOIN (
    -- A label that names no service is for any.
    SELECT PredictionId AS Id, argMax(toString(Truth), (labels.At, IngestTime)) AS Told
    FROM labels
    WHERE ServiceName IN ('', {service:String})
    GROUP BY PredictionId
) AS l ON l.Id = p.PredictionId
ORDER BY At, PredictionId
