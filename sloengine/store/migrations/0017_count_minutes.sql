-- What was counted, per measure, dimensions, asked attributes and minute: the one bucket shape behind every SLI. A measure is a metric, a
-- span or event name, or something that a job of ours derives (nodes heard, labelled predictions, verdicts of slices). SLIs are sums
-- over these rows, chosen by matchers when they are asked for: a thousand SLIs over one metric share its rows, and a changed SLI has a past.
--
-- A recomputed minute is a new revision of the same row; nothing is ever added to an old one, so re-runs, retries and late data are one
-- case (decision 4). Partitioned by day; within a day by hour first, so that the ragged edges of windows read only the hours that they cut.
-- Then by measure and gateway, which is what a fold compares with. KeyId stands for all that a row is told apart by: grouping, sorting and
-- replacing by one number costs a fifth of doing it by eleven names. The gateway stands beside it, so whoever could craft two keys of one
-- number would only overwrite figures of their own.
CREATE TABLE IF NOT EXISTS count_minutes (
    Measure LowCardinality(String),
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    Region LowCardinality(String),
    GatewayId LowCardinality(String),
    RolloutId LowCardinality(String),
    -- Detail that is kept only where an SLO asks for it, else empty.
    Wave LowCardinality(String),
    Hardware LowCardinality(String),
    DeviceId LowCardinality(String),
    -- The asked attributes that are not dimensions, as JSON with sorted keys; "gt" and "le" bound the value where values are cut.
    Attributes LowCardinality(String),
    Minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    -- Weighted number of events (bytes, seconds); exact for counters, an estimate where spans are sampled.
    Events Float64 CODEC(ZSTD(1)),
    -- Sum of squared weights; equals Events where every event counts once.
    Squares Float64 CODEC(ZSTD(1)),
    -- Raw rows behind it.
    Items UInt64 CODEC(T64, ZSTD(1)),
    -- Items of unknown weight: in no other figure of the row.
    Unweighted UInt64 CODEC(T64, ZSTD(1)),
    -- Events whose minute is not exactly known: increases of counters over more than five minutes.
    Bridged Float64 CODEC(ZSTD(1)),
    -- Events that were moved because the device's clock was off.
    Shifted Float64 CODEC(ZSTD(1)),
    -- Why this revision was written, and Events of the one before: a change of what was known is a restatement.
    Cause LowCardinality(String),
    Before Float64 CODEC(ZSTD(1)),
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1)),
    KeyId UInt64 MATERIALIZED sipHash64(Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId,
        Attributes) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(Minute)
ORDER BY (toStartOfHour(Minute), Measure, GatewayId, KeyId, Minute)
TTL Minute + toIntervalDay(400)
-- A day that is no longer written to becomes one part within the hour: reading the latest revisions of one part needs no merge.
SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
