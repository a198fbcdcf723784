-- A series as its device knows it: what it counts goes on when it moves to another gateway, and what two gateways deliver is one point. A source
-- without a name of its own is known by its gateway. A column beside SeriesId, which is what rows are sorted by and can't be another.
ALTER TABLE otel_metrics_exponential_histogram ADD COLUMN IF NOT EXISTS StreamId UInt64 DEFAULT if(DeviceId = '', SeriesId, cityHash64(
    mapSort(mapFilter((k, v) -> k NOT IN ('edge.gateway.id', 'edge.gateway.received_unix_nano', 'edge.clock.sent_unix_nano'), ResourceAttributes)),
    ScopeName, MetricName, mapSort(Attributes)))
