-- Model files that are not what they should be, as the devices reported it: node, file, both hashes, signer.
-- param: since Duration = 30d  how far back
SELECT Timestamp AS at, DeviceId AS device, GatewayId AS gateway, ModelName AS model, ModelVersion AS version, LogAttributes['artifact.path'] AS path,
    LogAttributes['artifact.hash'] AS hash, LogAttributes['edge.integrity.expected_hash'] AS expected, LogAttributes['edge.integrity.signer'] AS signer
FROM otel_logs
WHERE EventName = 'edge.model.integrity_failed' AND Timestamp >= now() - toIntervalSecond({since:UInt64})
ORDER BY at DESC, device
LIMIT 1000
