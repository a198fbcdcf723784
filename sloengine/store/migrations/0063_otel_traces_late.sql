-- What comes in later than it would be kept (a gateway that was away for six weeks) stays for a day: until now it was gone at the door, and nobody
-- could count what never got into a bucket. What is stored already keeps the time that it was given: rewriting all of it would take hours.
ALTER TABLE otel_traces
    MODIFY TTL greatest(toDateTime(Timestamp) + toIntervalDay(40), toDateTime(IngestTime) + toIntervalDay(1))
    SETTINGS materialize_ttl_after_modify = 0
