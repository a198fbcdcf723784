-- Labels (event edge.label), one row per delivered label, earlier and corrected ones included: which of them holds is decided where they are
-- read (the latest by its own time, then the one that came in last). Ordered by prediction: they are only ever read beside it.
-- Kept 400 days, like the predictions that they are about.
CREATE TABLE IF NOT EXISTS labels (
    PredictionId String CODEC(ZSTD(1)),
    -- Whose prediction; empty where the label does not say: then any service's prediction of this id.
    ServiceName LowCardinality(String),
    -- When the label was given.
    At DateTime64(9, 'UTC') CODEC(ZSTD(1)),
    Truth LowCardinality(String),
    Source LowCardinality(String),
    IngestTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    GatewayTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    GatewayId LowCardinality(String),
    DeviceId LowCardinality(String),
    Region LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    RolloutId LowCardinality(String),
    INDEX idx_ingest IngestTime TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (PredictionId, ServiceName, At)
TTL toDateTime(At) + toIntervalDay(400)
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1
