-- Latency per dimensions and minute as exponential-bucket counts (OpenTelemetry data model: bucket i of scale s holds
-- (2^(i*2^-s), 2^((i+1)*2^-s)] seconds). Buckets merge by addition in any order; quantiles are taken after merging, never averaged.
CREATE TABLE IF NOT EXISTS latency_minutes (
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    Region LowCardinality(String),
    GatewayId LowCardinality(String),
    RolloutId LowCardinality(String),
    Minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    Scale Int8,
    Zero UInt64 CODEC(T64, ZSTD(1)),
    Buckets Map(Int32, UInt64) CODEC(ZSTD(1)),
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(Minute)
ORDER BY (ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute, Scale)
TTL Minute + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1
