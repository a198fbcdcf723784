-- The same past for scores: cumulative histograms by segment, in the shape that each version really gives over all images (`thin`, `bold`: of
-- everyone in `who` the share of each bin), and since the drift in the one that its version gives then. Counts scatter about it as chance makes them:
-- a normal deviate from a hash where a bin expects enough, else one event more or less, so that means are exact.
INSERT INTO otel_metrics_histogram (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
    Count, Sum, BucketCounts, ExplicitBounds, AggregationTemporality, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, 'edge.inference.score', '1', mapConcat(about, map('edge.segment.stroke', stroke)),
    {begin:DateTime('UTC')}, at, arraySum(counts), arraySum(arrayMap((c, i) -> c * (i - 0.5) / length(counts), counts, arrayEnumerate(counts))), counts,
    {bounds:Array(Float64)}, 2, came, heard
FROM (
    SELECT *, sumForEach(fresh) OVER (PARTITION BY device, stroke ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS counts
    FROM (
        SELECT *, indexOf({who:Array(String)}, if(version = {drift_version:String} AND stroke = {drift_stroke:String} AND at >= {drift_from:DateTime('UTC')},
                'drifted', version)) AS whose,
            if(stroke = 'thin', {thin:Array(Array(Float64))}, {bold:Array(Array(Float64))})[whose] AS shape,
            arrayMap(share -> new_requests * share, shape) AS expected,
            arrayMap(i -> cityHash64(device, stroke, at, i), arrayEnumerate(shape)) AS chance,
            arrayMap(h -> sqrt(3) * ((h % 65536 + bitShiftRight(h, 16) % 65536 + bitShiftRight(h, 32) % 65536 + bitShiftRight(h, 48)) / 65536 - 2), chance) AS deviates,
            arrayMap((e, z, h) -> assumeNotNull(toUInt64(floor(e + if(e >= 12, sqrt(e) * z, 0) + (cityHash64(h) % 1000) / 1000))), expected, deviates, chance) AS fresh
        FROM (
            SELECT *, arrayJoin(['thin', 'bold']) AS stroke
            FROM (
                SELECT *, all_requests - lagInFrame(all_requests) OVER (PARTITION BY device ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS new_requests
                FROM (
-- include seed_points
                )
            )
        )
    )
)
