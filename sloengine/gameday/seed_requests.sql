-- A believable past in the real tables: cumulative outcome counters of every device, a point each five minutes and, for the last three
-- hours, each minute. Load follows the day (integral of rate * (1 + 0.4 sin)); about 1 request in 6,000 fails. One gateway lost its uplink
-- for six hours twelve days ago and delivered afterwards: its ingest time says so.
INSERT INTO otel_metrics_sum (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
    Value, AggregationTemporality, IsMonotonic, IngestTime, GatewayTime)
WITH
    {begin:DateTime('UTC')} AS begin, {end:DateTime('UTC')} AS finish, {end:DateTime('UTC')} - toIntervalHour(3) AS dense,
    toUInt32(dateDiff('second', begin, dense) / 300) AS coarse_points,
    toUInt32(dateDiff('second', dense, finish) / 60) AS dense_points,
    if(n < coarse_points, n * 300, coarse_points * 300 + (n - coarse_points) * 60) + cityHash64(device) % 50 AS t,
    begin + toIntervalSecond(t) AS at,
    {rate:Float64} * (t + 0.4 * (86400 / (2 * pi())) * (1 - cos(2 * pi() * t / 86400))) AS all_requests,
    floor(all_requests / 6000 + (cityHash64(device) % 1000) / 1000) AS failures,
    gateway = {cut_gateway:String} AND at > {cut_from:DateTime('UTC')} AND at < {cut_from:DateTime('UTC')} + toIntervalHour(6) AS was_cut
SELECT
    map('service.name', {service:String}, 'device.id', device, 'edge.region', region, 'edge.gateway.id', gateway),
    'sloengine.edge', {service:String}, 'edge.inference.requests', '{request}',
    map('edge.model.name', {model:String}, 'edge.model.version', version, 'edge.rollout.id', rollout, 'edge.inference.outcome', outcome),
    begin, at, if(outcome = 'success', floor(all_requests) - failures, failures), 2, true,
    if(was_cut, {cut_from:DateTime('UTC')} + toIntervalHour(6) + toIntervalSecond(60), toDateTime64(at, 3, 'UTC') + toIntervalMillisecond(1200 + cityHash64(device, n) % 2800)),
    toDateTime64(at, 3, 'UTC') + toIntervalMillisecond(100 + cityHash64(n, device) % 400)
FROM (
    SELECT {devices:Array(String)}[d] AS device, {regions:Array(String)}[d] AS region, {gateways:Array(String)}[d] AS gateway,
        {versions:Array(String)}[d] AS version, {rollouts:Array(String)}[d] AS rollout
    FROM (SELECT arrayJoin(arrayEnumerate({devices:Array(String)})) AS d)
) AS device_list
CROSS JOIN (SELECT number AS n FROM numbers(toUInt64(dateDiff('second', {begin:DateTime('UTC')}, {end:DateTime('UTC')} - toIntervalHour(3)) / 300) + 180)) AS steps
CROSS JOIN (SELECT arrayJoin(['success', 'failure']) AS outcome) AS outcomes
