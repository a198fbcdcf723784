-- One row for each finding and look in which it stood: one cause with all that drifts because of it.
CREATE TABLE IF NOT EXISTS drift_findings (
    Monitor LowCardinality(String),
    -- Begins with the first look that found it; the dedup key of its alert.
    Finding String,
    At DateTime('UTC'),
    State LowCardinality(String),
    Kind LowCardinality(String),
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    -- Empty: all of them.
    ModelVersions Array(String),
    Region LowCardinality(String),
    DeviceId String,
    Segments Map(String, String),
    Effect Float64,
    Events Float64,
    -- Series that drift because of it, and those right below it that could be told and that drift.
    Members UInt64,
    Told UInt64,
    Exceeding UInt64,
    -- When it began, as far as is known.
    Onset Nullable(DateTime('UTC')),
    OnsetLow Nullable(DateTime('UTC')),
    OnsetHigh Nullable(DateTime('UTC')),
    -- The bins that moved, the mix of segments, worst members, labels' word: as JSON.
    Explanation String CODEC(ZSTD(3)),
    Reason String
) ENGINE = ReplacingMergeTree
ORDER BY (Monitor, At, Finding)
