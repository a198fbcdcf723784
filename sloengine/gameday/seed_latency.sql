-- The same past for latency: cumulative exponential histograms at scale 6. Shape: log-normal around 6 ms over 64 buckets; the last device of
-- each gateway is twice as slow, as old hardware is.
INSERT INTO otel_metrics_exponential_histogram (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix,
    TimeUnix, Count, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts, AggregationTemporality, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, 'edge.inference.duration', 's', mapConcat(about, map('edge.inference.outcome', 'success')),
    {begin:DateTime('UTC')}, at, arraySum(counts), 6, 0, if(endsWith(device, '009'), -408, -472) - 32, counts, 2, came, heard
FROM (
    SELECT *, arrayMap(i -> assumeNotNull(toUInt64(floor(all_requests * exp(-pow((i - 32) / 12., 2) / 2) / 30.08))), range(64)) AS counts
    FROM (
-- include seed_points
    )
)
