-- Changes of what was known: minutes that were counted anew more than ten minutes after they had passed, by hour and cause. Never
-- rewritten: what was believed, since when, and why it changed.
CREATE TABLE IF NOT EXISTS restatements (
    At DateTime64(3, 'UTC'),
    Cause LowCardinality(String),
    Measure LowCardinality(String),
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    Region LowCardinality(String),
    GatewayId LowCardinality(String),
    RolloutId LowCardinality(String),
    Attributes LowCardinality(String),
    Hour DateTime('UTC'),
    Minutes UInt64,
    Before Float64,
    After Float64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (Measure, ServiceName, Hour, At)
TTL toDateTime(At) + toIntervalDay(400)
