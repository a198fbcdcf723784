-- OTel histogram points as the collector's clickhouseexporter writes them, plus ingest time, gateway time, hot attributes.
-- The sort key leads with the gateway, then the metric: a roll-up of one returning gateway reads that gateway's hours and nothing
-- else (DESIGN, decision 4). Partitions are days of event time, so retention drops whole parts. The minmax index on IngestTime
-- is what makes "what came in since the last tick" cheap: parts are written in ingest order.
CREATE TABLE IF NOT EXISTS otel_metrics_histogram (
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String),
    MetricName LowCardinality(String),
    MetricDescription LowCardinality(String),
    MetricUnit LowCardinality(String),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    Count UInt64 CODEC(T64, ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    BucketCounts Array(UInt64) CODEC(ZSTD(1)),
    ExplicitBounds Array(Float64) CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9, 'UTC'),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    IngestTime DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),
    GatewayId LowCardinality(String) DEFAULT ResourceAttributes['edge.gateway.id'],
    GatewayTime DateTime64(3, 'UTC') DEFAULT if(mapContains(ResourceAttributes, 'edge.gateway.received_unix_nano'),
        fromUnixTimestamp64Milli(intDiv(toInt64OrZero(ResourceAttributes['edge.gateway.received_unix_nano']), 1000000)), IngestTime) CODEC(DoubleDelta, ZSTD(1)),
    DeviceId LowCardinality(String) DEFAULT ResourceAttributes['device.id'],
    Region LowCardinality(String) DEFAULT ResourceAttributes['edge.region'],
    ModelName LowCardinality(String) DEFAULT Attributes['edge.model.name'],
    ModelVersion LowCardinality(String) DEFAULT Attributes['edge.model.version'],
    RolloutId LowCardinality(String) DEFAULT Attributes['edge.rollout.id'],
    -- One series is one (resource, scope, metric, attributes); what the gateway stamps on each delivery is not part of it.
    SeriesId UInt64 DEFAULT cityHash64(mapSort(mapFilter((k, v) -> k != 'edge.gateway.received_unix_nano', ResourceAttributes)),
        ScopeName, MetricName, mapSort(Attributes)),
    INDEX idx_ingest IngestTime TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (GatewayId, MetricName, toStartOfHour(TimeUnix), SeriesId, TimeUnix)
TTL toDateTime(TimeUnix) + toIntervalDay(40)
SETTINGS ttl_only_drop_parts = 1
