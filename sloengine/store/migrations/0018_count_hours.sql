-- Hours of count_minutes, for the days that a window's edge divides. Refolded whole whenever one of its minutes was. Partitioned by day:
-- each tick rewrites today's hours, and the other days must not be merged on reading because of it.
CREATE TABLE IF NOT EXISTS count_hours (
    Measure LowCardinality(String),
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    Region LowCardinality(String),
    GatewayId LowCardinality(String),
    RolloutId LowCardinality(String),
    Wave LowCardinality(String),
    Hardware LowCardinality(String),
    DeviceId LowCardinality(String),
    Attributes LowCardinality(String),
    Hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    Events Float64 CODEC(ZSTD(1)),
    Squares Float64 CODEC(ZSTD(1)),
    Items UInt64 CODEC(T64, ZSTD(1)),
    Unweighted UInt64 CODEC(T64, ZSTD(1)),
    Bridged Float64 CODEC(ZSTD(1)),
    Shifted Float64 CODEC(ZSTD(1)),
    -- The newest minute that holds data: how stale a slice is.
    Last DateTime('UTC') CODEC(ZSTD(1)),
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1)),
    KeyId UInt64 MATERIALIZED sipHash64(Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId,
        Attributes) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(Hour)
ORDER BY (Measure, GatewayId, KeyId, Hour)
TTL Hour + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
