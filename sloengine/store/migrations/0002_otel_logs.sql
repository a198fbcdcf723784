-- OTel log records as the collector's clickhouseexporter writes them, plus ingest time, gateway time and hot attributes.
CREATE TABLE IF NOT EXISTS otel_logs (
    Timestamp DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String),
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    -- The exporter looks for this column once, at its start; a gateway that started while the store was away leaves it out.
    EventName LowCardinality(String) DEFAULT LogAttributes['event.name'],
    IngestTime DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),
    GatewayId LowCardinality(String) DEFAULT ResourceAttributes['edge.gateway.id'],
    GatewayTime DateTime64(3, 'UTC') DEFAULT if(mapContains(ResourceAttributes, 'edge.gateway.received_unix_nano'),
        fromUnixTimestamp64Milli(intDiv(toInt64OrZero(ResourceAttributes['edge.gateway.received_unix_nano']), 1000000)), IngestTime) CODEC(DoubleDelta, ZSTD(1)),
    DeviceId LowCardinality(String) DEFAULT ResourceAttributes['device.id'],
    Region LowCardinality(String) DEFAULT ResourceAttributes['edge.region'],
    ModelName LowCardinality(String) DEFAULT LogAttributes['edge.model.name'],
    ModelVersion LowCardinality(String) DEFAULT LogAttributes['edge.model.version'],
    RolloutId LowCardinality(String) DEFAULT LogAttributes['edge.rollout.id'],
    INDEX idx_ingest IngestTime TYPE minmax GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (GatewayId, ServiceName, Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(40)
SETTINGS ttl_only_drop_parts = 1
