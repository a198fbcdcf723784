-- Node-seconds that telemetry accounts for, some gateways, minutes [lo, hi): a point of the request counters accounts for the time since the
-- device's last one, up to five minutes: beyond that it was silent. After more than an hour (the shortest look-back) it counts as a first
-- one, or the figure would depend on how far was looked back. Models don't matter: a node with two of them is still one node.
-- include insert_counts
WITH
    heard AS (
        -- A node by a number: its names are looked at once a minute and not at every point.
        SELECT p.Node AS Node, p.TimeUnix + toIntervalMillisecond(p.Moved) AS T, p.Moved AS Shift,
            any(p.ServiceName) AS Service, any(p.Region) AS Place, any(p.GatewayId) AS Gateway
        FROM (
            SELECT ServiceName, Region, GatewayId, TimeUnix, IngestTime, cityHash64(GatewayId, DeviceId, ServiceName, Region) AS Node,
-- include asked_shift
            FROM otel_metrics_sum
            WHERE MetricName = 'edge.inference.requests'
        ) AS p
        WHERE T >= {from:DateTime('UTC')} AND T < {hi:DateTime('UTC')} AND
-- include asked_rows
        GROUP BY Node, p.TimeUnix, Shift
    ),
    gaps AS (
        SELECT Node, Service, Place, Gateway, Shift, T,
            if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(T, 1) OVER w, T) / 1000, 3601) AS Gap
        FROM heard
        WINDOW w AS (PARTITION BY Node ORDER BY T ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    spells AS (
        SELECT Service, Place, Gateway, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute, if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM gaps
        WHERE T >= {lo:DateTime('UTC')}
    ),
    fresh AS (
        SELECT 'covered' AS Measure, tuple(Service, '', '', Place, Gateway, '', '', '', '') AS D, Minute, '' AS Attributes,
            tuple(round(sum(Seconds), 3), round(sum(Seconds), 3), count(), toUInt64(0), 0., round(sumIf(Seconds, Shift != 0), 3)) AS Figures
        FROM spells
        GROUP BY Service, Place, Gateway, Minute
    ),
-- include settle_counts
