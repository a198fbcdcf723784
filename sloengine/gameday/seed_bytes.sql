-- The same past for bytes taken in and uploaded, of which each recorded prediction's picture is the most.
INSERT INTO otel_metrics_sum (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
    Value, AggregationTemporality, IsMonotonic, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, counter.1, 'By', about, {begin:DateTime('UTC')}, at, counter.2, 2, true, came, heard
FROM (
    SELECT *, arrayJoin([('edge.data.raw', floor(all_requests) * {raw:Float64}), ('edge.data.sent', floor(all_requests * {sent:Float64}))]) AS counter
    FROM (
-- include seed_points
    )
)
