-- How near its limits each node lives (M7): quantiles over time of a utilization gauge, and how much of the time it was above a limit.
-- A value stands for the time since the point before it in its series, five minutes at most; a first point, or one after more than an hour
-- of silence, for none. Where a node has several series of the gauge, as one for each CPU, all their time counts. No interval is given:
-- neighbouring values are alike, and how alike is not known.
-- param: metric Text = system.cpu.utilization  the gauge
-- param: since Duration = 1d  how far back
-- param: limit Number = 0.8  the limit
-- param: top Integer = 50  so many nodes
WITH
    points AS (
        SELECT GatewayId, DeviceId, ServiceName, Region, SeriesId, TimeUnix, max(Value) AS V
        FROM otel_metrics_gauge
        WHERE MetricName = {metric:String} AND isFinite(Value) AND TimeUnix >= now() - toIntervalSecond({since:UInt64})
        GROUP BY GatewayId, DeviceId, ServiceName, Region, SeriesId, TimeUnix
    ),
    spells AS (
        SELECT GatewayId, DeviceId, ServiceName, Region, SeriesId, V,
            if(row_number() OVER w > 1, dateDiff('millisecond', lagInFrame(TimeUnix, 1) OVER w, TimeUnix) / 1000, 0) AS Gap, if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM points
        WINDOW w AS (PARTITION BY GatewayId, SeriesId ORDER BY TimeUnix ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    summed AS (
        SELECT GatewayId AS gateway, DeviceId AS device, ServiceName AS service, Region AS region, uniqExact(SeriesId) AS series, sum(Seconds) AS seconds,
            sumIf(Seconds, V > {limit:Float64}) AS above, arraySort(groupArrayIf((V, Seconds), Seconds > 0)) AS sorted, arrayCumSum(sorted.2) AS until
        FROM spells
        GROUP BY gateway, device, service, region
        HAVING seconds > 0
    )
SELECT gateway, device, service, region, sorted[arrayFirstIndex(s -> s >= 0.5 * seconds, until)].1 AS p50, sorted[arrayFirstIndex(s -> s >= 0.95 * seconds, until)].1 AS p95,
    sorted[arrayFirstIndex(s -> s >= 0.99 * seconds, until)].1 AS p99, sorted[-1].1 AS highest, above / seconds AS share_above, seconds / 3600 AS hours, series
FROM summed
ORDER BY p99 DESC, share_above DESC, gateway, device
LIMIT {top:UInt64}
