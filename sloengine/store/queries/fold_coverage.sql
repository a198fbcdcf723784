-- Node-seconds that telemetry accounts for, some gateways, minutes [lo, hi): a point of the request counters accounts for the time since the
-- device's last one, up to five minutes: beyond that it was silent. After more than an hour (the shortest look-back) it counts as a first
-- one, or the figure would depend on how far was looked back. Models don't matter: a node with two of them is still one node.
-- include insert_counts
WITH
    heard AS (
        -- A node by a number: its names are looked at once a minute and not at every point.
        SELECT p.Node AS Node, p.TimeUnix + toIntervalMillisecond(p.Moved) AS T, p.Moved AS Shift,
            any(p.ServiceName) AS Service, any(p.Region) AS Place, any(p.GatewayId) AS Gateway,
            any(p.DeviceId) AS Device
        FROM (
            SELECT ServiceName, Region, GatewayId, DeviceId, TimeUnix, IngestTime, cityHash64(GatewayId, DeviceId, ServiceName, Region) AS Node,
-- include asked_shift
            FROM otel_metrics_sum
            WHERE MetricName = 'edge.inference.requests'
        ) AS p
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')} AND
-- include asked_rows
        GROUP BY Node, p.TimeUnix, Shift
    ),
    gaps AS (
        SELECT Node, Service, Place, Gateway, Device, Shift, T,
            if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(T, 1) OVER w, T) / 1000, 3601) AS Gap
        FROM heard
        WINDOW w AS (PARTITION BY Node ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    spells AS (
        SELECT Node, Service, Place, Gateway, Device, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM gaps
        WHERE T >= {lo:DateTime('UTC')}
    ),
    minutes AS (
        SELECT Measure, tuple(p.Service, '', '', p.Place, p.Gateway, '', '', '', '') AS D, F, Minute, Seconds, Items, Shifted, arrayMap(a ->
-- include asked_value
            , F.2) AS Asked
        FROM (
            -- Marks of nodes ask for the device and nothing else.
            SELECT 'covered' AS Measure, any(spells.Service) AS Service, any(spells.Place) AS Place, any(spells.Gateway) AS Gateway,
                any(spells.Device) AS DeviceId, Minute, CAST(map(), 'Map(String, String)') AS Own, Own AS ResourceAttributes,
                sum(spells.Seconds) AS Seconds, count() AS Items, sumIf(spells.Seconds, Shift != 0) AS Shifted,
-- include asked_folds
            FROM spells
            GROUP BY Node, Minute
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
