-- The nodes that are expected to send, copied from the catalogue: absence can only be counted against what was expected.
CREATE TABLE IF NOT EXISTS inventory (
    DeviceId String,
    GatewayId LowCardinality(String),
    Region LowCardinality(String),
    ServiceName LowCardinality(String),
    Since DateTime('UTC'),
    Present Bool,
    Revision UInt64
) ENGINE = ReplacingMergeTree(Revision)
ORDER BY (DeviceId, ServiceName)
