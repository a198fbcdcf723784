-- What the gateway stamps on each delivery is no part of a series' identity; the device's clock at sending is stamped now, too.
ALTER TABLE otel_metrics_summary MODIFY COLUMN SeriesId UInt64 DEFAULT cityHash64(
    mapSort(mapFilter((k, v) -> k NOT IN ('edge.gateway.received_unix_nano', 'edge.clock.sent_unix_nano'), ResourceAttributes)),
    ScopeName, MetricName, mapSort(Attributes))
