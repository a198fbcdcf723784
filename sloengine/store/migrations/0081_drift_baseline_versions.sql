-- Each version of each baseline: its bins, of what it was made, by whom and why.
CREATE TABLE IF NOT EXISTS drift_baseline_versions (
    Monitor LowCardinality(String),
    -- Seconds since 1970 at which it was made.
    Version UInt32,
    -- Given by a person or a registry; empty: the monitor's own.
    Name String,
    Kind LowCardinality(String),
    Begin DateTime('UTC'),
    End DateTime('UTC'),
    Edges Array(Float64),
    Labels Array(String),
    Series UInt64,
    Events Float64,
    -- Of the bins and every count.
    Checksum String,
    Author String,
    Reason String,
    -- good, or dubious with why.
    Quality LowCardinality(String),
    Doubts String,
    At DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(At)
ORDER BY (Monitor, Version)
