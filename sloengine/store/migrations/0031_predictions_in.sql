-- Prediction records on their way in. Nothing here may raise: one bad record would keep a whole batch of logs out.
--
-- Weight: 2^56 / (2^56 - T), T the digits of edge.sampling.threshold, right-padded to 14 as `th` is (see otel_traces). Without a threshold, or
-- with one that is none, it is unknown. So it is for a record that this threshold could not have kept: kept is what R >= T, R the first 7
-- bytes of the SHA-256 of its id. Otherwise one record could claim to stand for 2^56 others.
CREATE MATERIALIZED VIEW IF NOT EXISTS predictions_in TO predictions AS
WITH
    LogAttributes['edge.sampling.threshold'] AS Threshold,
    rightPad(extract(Threshold, '^[0-9a-f]{1,14}$'), 14, '0') AS Digits,
    reinterpretAsUInt64(reverse(unhex(concat('00', Digits)))) AS T,
    reinterpretAsUInt64(reverse(concat(unhex('00'), substring(SHA256(LogAttributes['edge.prediction.id']), 1, 7)))) AS R,
    toFloat64OrNull(LogAttributes['edge.inference.score']) AS Claimed
SELECT Timestamp, IngestTime, GatewayTime, GatewayId, DeviceId, Region, ServiceName, ModelName, ModelVersion, RolloutId,
    LogAttributes['edge.rollout.wave'] AS Wave,
    ResourceAttributes['edge.hardware'] AS Hardware,
    LogAttributes['edge.prediction.id'] AS PredictionId,
    if(Claimed >= 0 AND Claimed <= 1, Claimed, NULL) AS Score,
    LogAttributes['edge.inference.label'] AS Label,
    LogAttributes['edge.prediction.truth'] AS Truth,
    mapFilter((k, v) -> startsWith(k, 'edge.segment.'), LogAttributes) AS Segments,
    if(match(Threshold, '^[0-9a-f]{1,14}$') AND R >= T, pow(2, 56) / (bitShiftLeft(toUInt64(1), 56) - T), NULL) AS Weight,
    mapFilter((k, v) -> NOT startsWith(k, 'edge.gateway.'), ResourceAttributes) AS ResourceAttributes
FROM otel_logs
WHERE EventName = 'edge.prediction' AND LogAttributes['edge.prediction.id'] != ''
