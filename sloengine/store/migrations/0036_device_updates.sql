-- How updates of devices go (event edge.update), one row per delivered event. Read whole per rollout: what counts is the state of each device.
-- Kept 400 days: rollouts outlive raw telemetry.
CREATE TABLE IF NOT EXISTS device_updates (
    RolloutId LowCardinality(String),
    ServiceName LowCardinality(String),
    DeviceId String,
    Timestamp DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    -- started, succeeded, failed or cancelled.
    Status LowCardinality(String),
    ErrorType LowCardinality(String),
    Wave LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    GatewayId LowCardinality(String),
    Region LowCardinality(String),
    Hardware LowCardinality(String),
    IngestTime DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    GatewayTime DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    INDEX idx_ingest IngestTime TYPE minmax GRANULARITY 1,
    INDEX idx_time Timestamp TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(Timestamp)
ORDER BY (RolloutId, ServiceName, DeviceId, Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1
