-- Labels of the past's predictions: the truth about each image, twenty seconds to five hours later. People look at thin digits less often: one
-- in ten never gets a label, of bold ones 3 in 100. What is not known yet is not there yet; and what drifts waits for a second reader, who comes
-- tomorrow.
INSERT INTO otel_logs (Timestamp, SeverityText, SeverityNumber, ServiceName, ScopeName, ResourceAttributes, LogAttributes, EventName, IngestTime, GatewayTime)
SELECT given, 'INFO', 9, ServiceName, 'sloengine.edge', mapConcat(ResourceAttributes, map('edge.gateway.id', toString(GatewayId))),
    map('event.name', 'edge.label', 'edge.model.name', toString(ModelName), 'edge.model.version', toString(ModelVersion), 'edge.prediction.id', PredictionId,
        'edge.label.source', 'sorting-room', 'edge.label.truth', substring({truths:String}, 1 + cityHash64(PredictionId) % length({truths:String}), 1)),
    'edge.label', given + toIntervalSecond(2), given + toIntervalMillisecond(300)
FROM (
    SELECT *, toDateTime64(Timestamp, 3, 'UTC') + toIntervalSecond(toUInt32(20 * pow(10, 3 * (cityHash64('lag', PredictionId) % 1000) / 1000))) AS given
    FROM predictions
    WHERE cityHash64('ever', PredictionId) % 100 >= if(Segments['edge.segment.stroke'] = 'thin', 10, 3)
        AND NOT (ModelVersion = {drift_version:String} AND Segments['edge.segment.stroke'] = {drift_stroke:String} AND Timestamp >= {drift_from:DateTime('UTC')})
)
WHERE given < {end:DateTime('UTC')}
