-- As 0063.
ALTER TABLE otel_metrics_summary
    MODIFY TTL greatest(toDateTime(TimeUnix) + toIntervalDay(40), toDateTime(IngestTime) + toIntervalDay(1))
    SETTINGS materialize_ttl_after_modify = 0
