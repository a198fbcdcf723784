-- Hours of histogram_minutes, of the measures that a drift monitor watches: what is compared are hours and days, of a whole fleet at once, and
-- dense buckets are fixed-width rows. One row for each key, hour and grid (Scale, Bounds), refolded whole whenever one of its minutes was. Buckets
-- of a grid add up exactly, and no two grids are brought together here.
--
-- Bucket i of Counts has the index First + i. Explicit buckets have First 0 and a count for each of length(Bounds) + 1, empty ones too; exponential
-- ones begin and end with one that is not empty. Ordered by hour first, as count_hour_minutes are: a look reads hours, never the day around them.
CREATE TABLE IF NOT EXISTS histogram_hours (
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
    -- Exponential buckets have a scale and no bounds; explicit ones have bounds and scale 0.
    Scale Int8,
    Bounds Array(Float64) CODEC(ZSTD(1)),
    Zero Float64 CODEC(ZSTD(1)),
    First Int32 CODEC(ZSTD(1)),
    -- LZ4, because reading these is most of what a look costs.
    Counts Array(Float64) CODEC(LZ4),
    NegativeFirst Int32 CODEC(ZSTD(1)),
    Negatives Array(Float64) CODEC(LZ4),
    -- Raw rows behind it; 0: it holds nothing any more.
    Items UInt64 CODEC(T64, ZSTD(1)),
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1)),
    KeyId UInt64 MATERIALIZED sipHash64(Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId,
        Attributes) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(Hour)
ORDER BY (Hour, Measure, GatewayId, KeyId, Scale, Bounds)
TTL Hour + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
