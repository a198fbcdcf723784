-- Every change of an alert episode with the numbers that decided it; a copy for people to query, the state database is the original.
CREATE TABLE IF NOT EXISTS alert_transitions (
    At DateTime64(3, 'UTC'),
    DedupKey String,
    Slo LowCardinality(String),
    Severity LowCardinality(String),
    FromState LowCardinality(String),
    ToState LowCardinality(String),
    Reason String,
    Labels Map(LowCardinality(String), String),
    Evidence String,
    TransitionId UInt64
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (Slo, DedupKey, TransitionId)
