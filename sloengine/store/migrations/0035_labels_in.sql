-- Labels on their way in. A label that came through the labels API or from a file may have been given longer ago than raw logs are kept: then
-- its log record has the time at which it came, and the attribute holds the time that counts.
CREATE MATERIALIZED VIEW IF NOT EXISTS labels_in TO labels AS
SELECT
    LogAttributes['edge.prediction.id'] AS PredictionId,
    ServiceName,
    if(GatewayId = 'labels-api' AND mapContains(LogAttributes, 'edge.label.given_unix_nano'),
        fromUnixTimestamp64Nano(toInt64OrZero(LogAttributes['edge.label.given_unix_nano']), 'UTC'), Timestamp) AS At,
    LogAttributes['edge.label.truth'] AS Truth,
    LogAttributes['edge.label.source'] AS Source,
    IngestTime, GatewayTime, GatewayId, DeviceId, Region, ModelName, ModelVersion, RolloutId
FROM otel_logs
WHERE EventName = 'edge.label' AND LogAttributes['edge.prediction.id'] != '' AND LogAttributes['edge.label.truth'] != ''
