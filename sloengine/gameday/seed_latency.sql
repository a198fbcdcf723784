-- The same past for latency: cumulative exponential histograms at scale 6, a point each half hour and, for the last three hours, each minute.
-- Shape: log-normal around 6 ms over 64 buckets; the last device of each gateway is twice as slow, as old hardware is.
INSERT INTO otel_metrics_exponential_histogram (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix,
    TimeUnix, Count, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts, AggregationTemporality, IngestTime, GatewayTime)
WITH
    {begin:DateTime('UTC')} AS begin, {end:DateTime('UTC')} AS finish, {end:DateTime('UTC')} - toIntervalHour(3) AS dense,
    toUInt32(dateDiff('second', begin, dense) / 1800) AS coarse_points,
    if(n < coarse_points, n * 1800, coarse_points * 1800 + (n - coarse_points) * 60) + cityHash64(device) % 50 AS t,
    begin + toIntervalSecond(t) AS at,
    {rate:Float64} * (t + 0.4 * (86400 / (2 * pi())) * (1 - cos(2 * pi() * t / 86400))) AS all_requests,
    if(endsWith(device, '009'), -408, -472) - 32 AS first_bucket,
    arrayMap(i -> assumeNotNull(toUInt64(floor(all_requests * exp(-pow((i - 32) / 12., 2) / 2) / 30.08))), range(64)) AS counts
SELECT
    map('service.name', {service:String}, 'device.id', device, 'edge.region', region, 'edge.gateway.id', gateway),
    'sloengine.edge', {service:String}, 'edge.inference.duration', 's',
    map('edge.model.name', {model:String}, 'edge.model.version', version, 'edge.rollout.id', rollout, 'edge.inference.outcome', 'success'),
    begin, at, arraySum(counts), 6, 0, first_bucket, counts, 2,
    toDateTime64(at, 3, 'UTC') + toIntervalMillisecond(1200 + cityHash64(device, n) % 2800),
    toDateTime64(at, 3, 'UTC') + toIntervalMillisecond(100 + cityHash64(n, device) % 400)
FROM (
    SELECT {devices:Array(String)}[d] AS device, {regions:Array(String)}[d] AS region, {gateways:Array(String)}[d] AS gateway,
        {versions:Array(String)}[d] AS version, {rollouts:Array(String)}[d] AS rollout
    FROM (SELECT arrayJoin(arrayEnumerate({devices:Array(String)})) AS d)
) AS device_list
CROSS JOIN (SELECT number AS n FROM numbers(toUInt64(dateDiff('second', {begin:DateTime('UTC')}, {end:DateTime('UTC')} - toIntervalHour(3)) / 1800) + 180)) AS steps
