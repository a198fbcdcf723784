-- The devices that a rollout is meant to reach, as its fleet manager declared them: without them a rollout that stopped half-way looks done.
-- What is left empty is taken from the rollout's update events, then from the inventory.
CREATE TABLE IF NOT EXISTS rollout_targets (
    RolloutId LowCardinality(String),
    DeviceId String,
    -- When it was declared; a device that was never tried counts from here.
    At DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    Wave LowCardinality(String) DEFAULT '',
    ServiceName LowCardinality(String) DEFAULT '',
    ModelName LowCardinality(String) DEFAULT '',
    ModelVersion LowCardinality(String) DEFAULT '',
    -- Taken out of the rollout again: a device that was not tried by then is no target.
    Withdrawn Bool DEFAULT false,
    IngestTime DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(IngestTime)
ORDER BY (RolloutId, DeviceId)
TTL toDateTime(At) + toIntervalDay(400)
