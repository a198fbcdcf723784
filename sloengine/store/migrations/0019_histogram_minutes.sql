-- Distributions per measure, dimensions, asked attributes and minute: exponential buckets (OpenTelemetry data model: bucket i of scale s
-- holds (2^(i*2^-s), 2^((i+1)*2^-s)]) or explicit ones (bucket i of Bounds holds (Bounds[i], Bounds[i+1]], the first everything up to
-- Bounds[1]). Buckets merge by addition in any order; quantiles are taken after merging, never averaged. Weights may be fractions.
CREATE TABLE IF NOT EXISTS histogram_minutes (
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
    Minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    -- Exponential buckets have a scale and no bounds; explicit ones have bounds and scale 0.
    Scale Int8,
    Bounds Array(Float64) CODEC(ZSTD(1)),
    Zero Float64 CODEC(ZSTD(1)),
    Buckets Map(Int32, Float64) CODEC(ZSTD(1)),
    Negative Map(Int32, Float64) CODEC(ZSTD(1)),
    Items UInt64 CODEC(T64, ZSTD(1)),
    Unweighted UInt64 CODEC(T64, ZSTD(1)),
    Bridged Float64 CODEC(ZSTD(1)),
    Shifted Float64 CODEC(ZSTD(1)),
    Cause LowCardinality(String),
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(Minute)
ORDER BY (toStartOfHour(Minute), Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId,
    Attributes, Scale, Bounds, Minute)
TTL Minute + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1
