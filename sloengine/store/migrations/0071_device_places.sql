-- Which gateways each device was heard through, and when by its own clock: what a device counts goes on when it moves, so whoever counts
-- what came through one gateway has to know where else to look. Only minima and maxima: reading the same rows twice changes nothing.
CREATE TABLE IF NOT EXISTS device_places (
    DeviceId LowCardinality(String),
    GatewayId LowCardinality(String),
    First SimpleAggregateFunction(min, DateTime('UTC')),
    Last SimpleAggregateFunction(max, DateTime('UTC'))
) ENGINE = AggregatingMergeTree
ORDER BY (DeviceId, GatewayId)
