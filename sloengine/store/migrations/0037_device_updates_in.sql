-- Update events on their way in; one without rollout or device says nothing that could be counted.
CREATE MATERIALIZED VIEW IF NOT EXISTS device_updates_in TO device_updates AS
SELECT RolloutId, ServiceName, DeviceId, Timestamp,
    LogAttributes['edge.update.status'] AS Status,
    LogAttributes['error.type'] AS ErrorType,
    LogAttributes['edge.rollout.wave'] AS Wave,
    ModelName, ModelVersion, GatewayId, Region,
    ResourceAttributes['edge.hardware'] AS Hardware,
    IngestTime, GatewayTime,
    mapFilter((k, v) -> NOT startsWith(k, 'edge.gateway.'), ResourceAttributes) AS ResourceAttributes
FROM otel_logs
WHERE EventName = 'edge.update' AND RolloutId != '' AND DeviceId != ''
    AND LogAttributes['edge.update.status'] IN ('started', 'succeeded', 'failed', 'cancelled')
