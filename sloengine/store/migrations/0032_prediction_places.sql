-- Where the records of a prediction id are: a label knows the id and nothing else, and a repeat may have come through another gateway.
-- Ordered by id, in small granules, so that a thousand labels are found without reading a month. By month: an id of no known time is looked up
-- in each partition.
CREATE TABLE IF NOT EXISTS prediction_places (
    PredictionId String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String),
    GatewayId LowCardinality(String),
    DeviceId LowCardinality(String),
    Timestamp DateTime64(9, 'UTC') CODEC(ZSTD(1)),
    IngestTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    GatewayTime DateTime64(3, 'UTC') CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toYYYYMM(Timestamp)
ORDER BY (PredictionId, ServiceName, Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(400)
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1
