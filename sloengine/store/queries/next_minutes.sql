-- A cumulative point changes its own bucket and that of the next point of its series (whose increase is counted from it), and the coverage
-- of the next point of its device. For one gateway and range: the minutes of those next points beyond the range, looking `reach`
-- seconds far, and how many series have none there yet.
WITH
    series AS (
        SELECT minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}) AS Next
        FROM otel_metrics_sum
        WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.requests' AND AggregationTemporality = 2
            AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({reach:UInt32})
        GROUP BY SeriesId, StartTimeUnix
        HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
        UNION ALL
        SELECT minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')})
        FROM otel_metrics_exponential_histogram
        WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.duration' AND AggregationTemporality = 2
            AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({reach:UInt32})
        GROUP BY SeriesId, StartTimeUnix
        HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
    ),
    devices AS (
        SELECT minIf(TimeUnix, TimeUnix >= {hi:DateTime('UTC')}) AS Next
        FROM otel_metrics_sum
        WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.requests'
            AND TimeUnix >= {lo:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')} + toIntervalHour(1)
        GROUP BY ServiceName, ModelName, ModelVersion, Region, RolloutId, DeviceId
        HAVING countIf(TimeUnix < {hi:DateTime('UTC')}) > 0
    )
SELECT groupUniqArrayIf(toStartOfMinute(toDateTime(Next, 'UTC')), toUnixTimestamp64Nano(Next) != 0) AS Minutes,
    countIf(Ends AND toUnixTimestamp64Nano(Next) = 0) AS Open
FROM (SELECT Next, true AS Ends FROM series UNION ALL SELECT Next, false FROM devices)
