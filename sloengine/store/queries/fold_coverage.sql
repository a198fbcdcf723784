-- Node-seconds that telemetry accounts for, some gateways, minutes [lo, hi): a point of the request counters accounts for the time since the
-- device's last one, up to five minutes: beyond that it was silent. After more than an hour (the shortest look-back) it counts as a first
-- one, or the figure would depend on how far was looked back. Models don't matter: a node with two of them is still one node.
-- include insert_counts
WITH
    heard AS (
        -- A node by a number: its names are looked at once a minute and not at every point. It is one node, however many gateways hear it.
        SELECT p.StreamId AS Node, p.TimeUnix + toIntervalMillisecond(p.Moved) AS T, p.Moved AS Shift, min(p.Place) AS Place,
            any(p.ServiceName) AS Service, any(p.Region) AS Area, any(p.DeviceId) AS Device
        FROM
-- include points_coverage
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')} AND
-- include asked_around
        GROUP BY Node, p.TimeUnix, Shift
    ),
    gaps AS (
        SELECT Node, Service, Area, Place, Device, Shift, T,
            if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(T, 1) OVER w, T) / 1000, 3601) AS Gap
        FROM heard
        WINDOW w AS (PARTITION BY Node ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    spells AS (
        SELECT Node, Service, Area, {places:Array(String)}[Place] AS Gateway, Device, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute,
            if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM gaps
        WHERE T >= {lo:DateTime('UTC')} AND Gateway IN {gateways:Array(String)}
    ),
    minutes AS (
        SELECT Measure, tuple(p.Service, '', '', p.Area, p.Gateway, '', '', '', '') AS D, F, Minute, Seconds, Items, Shifted, arrayMap(a ->
-- include asked_value
            , F.2) AS Asked
        FROM (
            -- Marks of nodes ask for the device and nothing else.
            SELECT 'covered' AS Measure, any(spells.Service) AS Service, any(spells.Area) AS Area, spells.Gateway AS Gateway,
                any(spells.Device) AS DeviceId, Minute, CAST(map(), 'Map(String, String)') AS Own, Own AS ResourceAttributes,
                sum(spells.Seconds) AS Seconds, count() AS Items, sumIf(spells.Seconds, Shift != 0) AS Shifted,
-- include asked_folds
            FROM spells
            GROUP BY Node, spells.Gateway, Minute
        ) AS p
    ),
    fresh AS (
        SELECT Measure, D, Minute,
-- include asked_key
            , tuple(round(sum(Seconds), 3), round(sum(Seconds), 3), sum(Items), toUInt64(0), 0., round(sum(Shifted), 3)) AS Figures
        FROM minutes
        GROUP BY Measure, D, F, Asked, Minute
    ),
-- include settle_counts
