-- The newest failed checks of model files, for a page: which node, which model, what was expected and what was found, signed by whom.
SELECT DeviceId AS device, ModelName AS model, ModelVersion AS version, LogAttributes['artifact.path'] AS path,
    LogAttributes['artifact.hash'] AS hash, LogAttributes['edge.integrity.expected_hash'] AS expected,
    LogAttributes['edge.integrity.signer'] AS signer, max(Timestamp) AS at
FROM otel_logs
WHERE EventName = 'edge.model.integrity_failed' AND ServiceName = {service:String} AND Timestamp >= {since:DateTime64(3, 'UTC')}
GROUP BY ALL
ORDER BY at DESC
LIMIT 20
