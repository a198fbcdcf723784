-- OTel spans as the collector's clickhouseexporter writes them, plus ingest time, gateway time, hot attributes and the weight.
-- AdjustedCount is how many spans this one stands for: 2^56 / (2^56 - T), T the threshold "th" of the tracestate, right-padded
-- to 14 hex digits (OpenTelemetry specification, probability sampling). No th means unknown (NULL), never 1.
-- The difference is taken in integers: in Float64 the largest threshold would make a weight of infinity, for any device to send.
CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9, 'UTC'),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    IngestTime DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),
    GatewayId LowCardinality(String) DEFAULT ResourceAttributes['edge.gateway.id'],
    GatewayTime DateTime64(3, 'UTC') DEFAULT if(mapContains(ResourceAttributes, 'edge.gateway.received_unix_nano'),
        fromUnixTimestamp64Milli(intDiv(toInt64OrZero(ResourceAttributes['edge.gateway.received_unix_nano']), 1000000)), IngestTime) CODEC(DoubleDelta, ZSTD(1)),
    DeviceId LowCardinality(String) DEFAULT ResourceAttributes['device.id'],
    Region LowCardinality(String) DEFAULT ResourceAttributes['edge.region'],
    ModelName LowCardinality(String) DEFAULT SpanAttributes['edge.model.name'],
    ModelVersion LowCardinality(String) DEFAULT SpanAttributes['edge.model.version'],
    RolloutId LowCardinality(String) DEFAULT SpanAttributes['edge.rollout.id'],
    SamplingThreshold String DEFAULT rightPad(extract(TraceState, '(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|$)'), 14, '0') CODEC(ZSTD(1)),
    AdjustedCount Nullable(Float64) DEFAULT if(match(TraceState, '(?:^|,)ot=(?:[^,]*;)?th:[0-9a-f]{1,14}(?:[;,]|$)'),
        pow(2, 56) / (bitShiftLeft(toUInt64(1), 56) - reinterpretAsUInt64(reverse(unhex(concat('00', SamplingThreshold))))), NULL),
    INDEX idx_ingest IngestTime TYPE minmax GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (GatewayId, SpanName, toStartOfHour(Timestamp), Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(40)
SETTINGS ttl_only_drop_parts = 1
