-- When each node was heard, by the gateway's clock: a device's own clock may lie (F8). Only maxima and minima are kept, so reading the
-- same rows twice changes nothing.
CREATE TABLE IF NOT EXISTS node_minutes (
    DeviceId LowCardinality(String),
    GatewayId LowCardinality(String),
    Region LowCardinality(String),
    ServiceName LowCardinality(String),
    Minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    LastReceived SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    LastEvent SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    -- Gateway time minus event time: the smallest in a minute is the clock offset plus the shortest transport.
    LagMin SimpleAggregateFunction(min, Float64),
    LagMax SimpleAggregateFunction(max, Float64)
) ENGINE = AggregatingMergeTree
PARTITION BY toDate(Minute)
ORDER BY (DeviceId, ServiceName, GatewayId, Region, Minute)
TTL Minute + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1
