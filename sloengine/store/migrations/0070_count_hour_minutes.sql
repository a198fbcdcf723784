-- The minutes of each hour in one row: what windows read of the hours that their edges divide. Sixty rows of count_minutes become one, and
-- that is several times cheaper to read. Written whenever an hour is refolded; count_hours are its sums. Hours that were folded before this
-- table was there are not in it: whoever reads it takes the (hour, measure) that it lacks from count_minutes (window_bands.sql).
--
-- Arrays have an element for each minute that Held names, ascending. Squares is empty where it equals Events, the last three where they are all
-- zero, which is nearly everywhere. Ordered by hour first: a window's edge reads an hour, never the day around it.
CREATE TABLE IF NOT EXISTS count_hour_minutes (
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
    -- Bit m: minute m of the hour holds something.
    Held UInt64 CODEC(ZSTD(1)),
    -- LZ4, because reading these is most of what windows cost, and ZSTD costs half as much again.
    Events Array(Float64) CODEC(LZ4),
    Squares Array(Float64) CODEC(LZ4),
    Unweighted Array(UInt64) CODEC(LZ4),
    Bridged Array(Float64) CODEC(LZ4),
    Shifted Array(Float64) CODEC(LZ4),
    -- Of the whole hour.
    Items UInt64 CODEC(T64, ZSTD(1)),
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1)),
    KeyId UInt64 MATERIALIZED sipHash64(Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId,
        Attributes) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(Hour)
ORDER BY (Hour, Measure, GatewayId, KeyId)
TTL Hour + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
