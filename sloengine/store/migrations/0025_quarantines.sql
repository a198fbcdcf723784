-- Gateways whose deliveries don't count: what came in (by the store's own clock) from one moment until another is left out of all buckets
-- until the quarantine is lifted. The raw rows stay.
CREATE TABLE IF NOT EXISTS quarantines (
    GatewayId String,
    Since DateTime64(3, 'UTC'),
    Until DateTime64(3, 'UTC'),
    Reason String,
    Author String,
    Lifted Bool,
    Revision UInt64
) ENGINE = ReplacingMergeTree(Revision)
ORDER BY (GatewayId, Since)
