-- M1, one gateway, minutes [lo, hi): counts of final outcomes from the cumulative sums of the devices, recomputed whole from deduplicated
-- points. Only rows that differ from what is stored are written, so a re-run writes nothing.
--
-- Increase of a point over the one before it in its series: value - previous; the value itself at a series' start (its StartTimeUnix
-- is new) or after a reset that kept the start time (value fell). It belongs to the minute of the later point. If the series began before
-- the look-back and nothing earlier is found, the increase can't be known: it counts as nothing, not as everything since the start.
INSERT INTO sli_minutes (Indicator, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute,
    Good, Bad, Unknown, CoveredSeconds, Revision)
WITH
    points AS (
        -- At-least-once delivery: the same point (series, start, time) counts once.
        SELECT SeriesId, StartTimeUnix, TimeUnix, max(Value) AS V, any(AggregationTemporality) AS Temporality,
            any(p.ServiceName) AS ServiceName, any(p.ModelName) AS ModelName, any(p.ModelVersion) AS ModelVersion,
            any(p.Region) AS Region, any(p.RolloutId) AS RolloutId, any(p.DeviceId) AS DeviceId,
            any(p.Attributes['edge.inference.outcome']) AS Outcome
        FROM otel_metrics_sum AS p
        WHERE GatewayId = {gateway:String} AND MetricName = 'edge.inference.requests'
            AND TimeUnix >= {from:DateTime('UTC')} AND TimeUnix < {hi:DateTime('UTC')}
            -- What no counter can say (NaN, infinite, negative, beyond exact floats) is left out: one such row would fail the whole tick.
            AND isFinite(Value) AND Value >= 0 AND Value < 9007199254740992
        GROUP BY SeriesId, StartTimeUnix, TimeUnix
    ),
    steps AS (
        SELECT *, lagInFrame(V, 1) OVER w AS Previous, row_number() OVER w AS N
        FROM points
        WINDOW w AS (PARTITION BY SeriesId, StartTimeUnix ORDER BY TimeUnix ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    increases AS (
        SELECT *, toStartOfMinute(toDateTime(TimeUnix, 'UTC')) AS Minute,
            toUInt64(round(multiIf(Temporality = 1, V, N > 1 AND V >= Previous, V - Previous, N > 1, V,
                StartTimeUnix >= {from:DateTime('UTC')}, V, 0))) AS Increase
        FROM steps
    ),
    counts AS (
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute,
            sumIf(Increase, Outcome = 'success') AS Good,
            sumIf(Increase, Outcome = 'failure') AS Bad,
            sumIf(Increase, Outcome NOT IN ('success', 'failure')) AS Unknown
        FROM increases
        WHERE Minute >= {lo:DateTime('UTC')}
        GROUP BY ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute
    ),
    heard AS (
        SELECT DISTINCT ServiceName, ModelName, ModelVersion, Region, RolloutId, DeviceId, TimeUnix FROM points
    ),
    gaps AS (
        -- A cumulative point accounts for the time since the device's last one, up to five minutes: beyond that it was silent. After more
        -- than an hour (the shortest look-back) it counts as a first one, or the figure would depend on how far was looked back.
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, toStartOfMinute(toDateTime(TimeUnix, 'UTC')) AS Minute,
            if(row_number() OVER d > 1, dateDiff('millisecond', lagInFrame(TimeUnix, 1) OVER d, TimeUnix) / 1000, 3601) AS Gap,
            if(Gap <= 3600, least(300, Gap), 0) AS Seconds
        FROM heard
        WINDOW d AS (PARTITION BY ServiceName, ModelName, ModelVersion, Region, RolloutId, DeviceId ORDER BY TimeUnix
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    coverage AS (
        SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, round(sum(Seconds), 3) AS CoveredSeconds
        FROM gaps
        GROUP BY ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute
    ),
    fresh AS (
        SELECT ServiceName, ModelName, ModelVersion, Region, {gateway:String} AS GatewayId, RolloutId, Minute, Good, Bad, Unknown, CoveredSeconds
        FROM counts INNER JOIN coverage USING (ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute)
    )
SELECT 'M1', ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute, Good, Bad, Unknown, CoveredSeconds,
    {revision:UInt64}
FROM fresh
WHERE (ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Good, Bad, Unknown, CoveredSeconds) NOT IN (
    SELECT ServiceName, ModelName, ModelVersion, Region, RolloutId, Minute, Good, Bad, Unknown, CoveredSeconds
    FROM sli_minutes FINAL
    WHERE Indicator = 'M1' AND GatewayId = {gateway:String} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
)
