-- Days (UTC) of count_hours, for everything in a window but the days that its edges divide: thirty rows of a key instead of 720. Refolded
-- whole, today included, whenever one of its hours was. Partitioned by month, and by day within: a late day touches its own rows only.
CREATE TABLE IF NOT EXISTS count_days (
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
    Day DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
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
PARTITION BY toYYYYMM(Day)
ORDER BY (Day, Measure, GatewayId, KeyId)
TTL Day + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
