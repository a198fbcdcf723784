-- The same past for what is counted rarely: requests that waited for a model (a restart each week), checks of the model file (one a day).
INSERT INTO otel_metrics_sum (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
    Value, AggregationTemporality, IsMonotonic, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, counter.1, counter.2, mapConcat(about, counter.4), {begin:DateTime('UTC')}, at, counter.3, 2, true,
    came, heard
FROM (
    SELECT *, arrayJoin([
            ('edge.inference.cold_starts', '{request}', floor(t / 604800 + (cityHash64(device) % 100) / 100), map()),
            ('edge.model.integrity_checks', '{check}', floor(t / 86400 + (cityHash64(device) % 100) / 100), map('edge.integrity.result', 'ok'))
        ]) AS counter
    FROM (
-- include seed_points
    )
)
