-- The same past for scores: cumulative histograms, in the shape that each version really gives over all images (`shares`: of a version, by bin).
INSERT INTO otel_metrics_histogram (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
    Count, Sum, BucketCounts, ExplicitBounds, AggregationTemporality, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, 'edge.inference.score', '1', about, {begin:DateTime('UTC')}, at, arraySum(counts),
    arraySum(arrayMap((c, i) -> c * (i - 0.5) / length(counts), counts, arrayEnumerate(counts))), counts, {bounds:Array(Float64)}, 2, came, heard
FROM (
    SELECT *, arrayMap(share -> assumeNotNull(toUInt64(floor(all_requests * share))), if(version = '1', {shares_1:Array(Float64)}, {shares_2:Array(Float64)})) AS counts
    FROM (
-- include seed_points
    )
)
