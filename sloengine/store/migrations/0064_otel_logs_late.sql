-- As 0063.
ALTER TABLE otel_logs
    MODIFY TTL greatest(toDateTime(Timestamp) + toIntervalDay(40), toDateTime(IngestTime) + toIntervalDay(1))
    SETTINGS materialize_ttl_after_modify = 0
