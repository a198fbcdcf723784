-- A believable past in the real tables: cumulative outcome counters of every device. About 1 request in 6,000 fails.
INSERT INTO otel_metrics_sum (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
    Value, AggregationTemporality, IsMonotonic, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, 'edge.inference.requests', '{request}', mapConcat(about, map('edge.inference.outcome', outcome)),
    {begin:DateTime('UTC')}, at, if(outcome = 'success', floor(all_requests) - failures, failures), 2, true, came, heard
FROM (
    SELECT *, arrayJoin(['success', 'failure']) AS outcome, floor(all_requests / 6000 + (cityHash64(device) % 1000) / 1000) AS failures
    FROM (
-- include seed_points
    )
)
