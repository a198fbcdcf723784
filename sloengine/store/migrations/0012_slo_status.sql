-- What was said of each slice of each SLO, and when: as known at that moment, never rewritten.
CREATE TABLE IF NOT EXISTS slo_status (
    At DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    Slo LowCardinality(String),
    Indicator LowCardinality(String),
    ServiceName LowCardinality(String),
    Slice Map(LowCardinality(String), String),
    Target Float64,
    WindowDays Float64,
    State LowCardinality(String),
    Reason String CODEC(ZSTD(1)),
    Sli Nullable(Float64),
    Good UInt64,
    Bad UInt64,
    Unknown UInt64,
    Coverage Nullable(Float64),
    BudgetRemaining Nullable(Float64),
    -- Burn rate by window, such as {'1h': 0.8, '5m': 0.1}; a window without valid events is absent.
    Burn Map(LowCardinality(String), Float64)
) ENGINE = MergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (Slo, At)
TTL At + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1
