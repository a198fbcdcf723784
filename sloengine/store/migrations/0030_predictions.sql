-- Prediction records (event edge.prediction), one row per delivered record: what accuracy, label lag and calibration are worked out from.
-- Filled from otel_logs as it comes in, because these outlive the raw logs: a label may come months later, and a corrected label restates
-- the past. At-least-once delivery leaves repeats here; they are taken out where the rows are read.
--
-- Ordered by gateway and hour, because what is recomputed is minutes of a gateway; by day, as the buckets are. A prediction is found by its
-- id in prediction_places. Kept 400 days, like the buckets: a bucket can be recomputed as long as there is one.
CREATE TABLE IF NOT EXISTS predictions (
    Timestamp DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    IngestTime DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    GatewayTime DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    GatewayId LowCardinality(String),
    DeviceId LowCardinality(String),
    Region LowCardinality(String),
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    RolloutId LowCardinality(String),
    Wave LowCardinality(String),
    Hardware LowCardinality(String),
    PredictionId String CODEC(ZSTD(1)),
    -- NULL where none in [0, 1] was sent.
    Score Nullable(Float64) CODEC(ZSTD(1)),
    -- Predicted class; empty where none was sent.
    Label LowCardinality(String),
    -- What it should have been, where the record itself knows; counts as a label given at the prediction's time.
    Truth LowCardinality(String),
    -- Attributes edge.segment.*, under their whole names.
    Segments Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    -- How many predictions this one stands for; NULL: unknown, never 1.
    Weight Nullable(Float64) CODEC(ZSTD(1)),
    -- Who sent it, without the gateway's stamps: any of these can be asked for as a dimension.
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    INDEX idx_ingest IngestTime TYPE minmax GRANULARITY 1,
    INDEX idx_time Timestamp TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (GatewayId, toStartOfHour(Timestamp), ServiceName, Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1
