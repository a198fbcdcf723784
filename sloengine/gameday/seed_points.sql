    -- Included in FROM: every device at every point of the past, which lie `coarse` seconds apart and in its last three hours `dense` seconds.
    -- Where these are many minutes, devices take turns: a gateway then has something every few minutes, and whole days are recomputed at once.
    -- `all_requests` is what the device was asked until then: load follows the day, the integral of rate * (1 + 0.4 sin). One gateway lost its
    -- uplink for six hours twelve days ago and delivered afterwards: its ingest time says so.
    WITH
        {begin:DateTime('UTC')} AS begin, {end:DateTime('UTC')} AS finish, {end:DateTime('UTC')} - toIntervalHour(3) AS busy,
        toUInt32(dateDiff('second', begin, busy) / {coarse:UInt32}) AS coarse_points
    SELECT devices.*, if(n < coarse_points, n * {coarse:UInt32}, coarse_points * {coarse:UInt32} + (n - coarse_points) * {dense:UInt32})
            + if({coarse:UInt32} > 600, number % 10 * intDiv({coarse:UInt32}, 10), 0) + cityHash64(device) % 30 AS t,
        begin + toIntervalSecond(t) AS at,
        {rate:Float64} * (t + 0.4 * (86400 / (2 * pi())) * (1 - cos(2 * pi() * t / 86400))) AS all_requests,
        gateway = {cut_gateway:String} AND at > {cut_from:DateTime('UTC')} AND at < {cut_from:DateTime('UTC')} + toIntervalHour(6) AS was_cut,
        if(was_cut, {cut_from:DateTime('UTC')} + toIntervalHour(6) + toIntervalSecond(60),
            toDateTime64(at, 3, 'UTC') + toIntervalMillisecond(1200 + cityHash64(device, n) % 2800)) AS came,
        toDateTime64(at, 3, 'UTC') + toIntervalMillisecond(100 + cityHash64(n, device) % 400) AS heard,
        map('edge.model.name', {model:String}, 'edge.model.version', version, 'edge.rollout.id', rollout) AS about
    FROM (
-- include seed_devices
    ) AS devices
    CROSS JOIN (
        SELECT number AS n
        FROM numbers(toUInt64(dateDiff('second', begin, busy) / {coarse:UInt32}) + toUInt64(10800 / {dense:UInt32}))
    ) AS steps
    WHERE at < finish
