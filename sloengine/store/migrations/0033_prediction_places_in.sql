CREATE MATERIALIZED VIEW IF NOT EXISTS prediction_places_in TO prediction_places AS
SELECT PredictionId, ServiceName, GatewayId, DeviceId, Timestamp, IngestTime, GatewayTime
FROM predictions
