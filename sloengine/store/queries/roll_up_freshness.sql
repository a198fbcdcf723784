-- M4, minutes [lo, hi): one slice per expected node and minute; good if the gateway heard the node in that minute or the four before it
-- (age below five minutes), bad otherwise. Nodes come from the inventory, not from what was sent: a dead node sends nothing.
INSERT INTO sli_minutes (Indicator, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute,
    Good, Bad, Unknown, CoveredSeconds, Revision)
WITH
    slices AS (
        SELECT DeviceId, ServiceName, Region, GatewayId, arrayJoin(arrayMap(i -> {lo:DateTime('UTC')} + toIntervalMinute(i),
            range(toUInt64(dateDiff('minute', {lo:DateTime('UTC')}, {hi:DateTime('UTC')}))))) AS Minute
        FROM inventory FINAL
        WHERE Present AND Since <= Minute
    ),
    heard AS (
        SELECT DISTINCT DeviceId, ServiceName, n.Minute + toIntervalMinute(arrayJoin(range(5))) AS Minute
        FROM node_minutes AS n
        WHERE n.Minute >= {lo:DateTime('UTC')} - toIntervalMinute(5) AND n.Minute < {hi:DateTime('UTC')}
    ),
    fresh AS (
        SELECT ServiceName, Region, GatewayId, Minute,
            countIf((DeviceId, ServiceName, Minute) IN heard) AS Good, count() - Good AS Bad
        FROM slices
        GROUP BY ServiceName, Region, GatewayId, Minute
    )
SELECT 'M4', ServiceName, '', '', Region, GatewayId, '', Minute, Good, Bad, 0, 60. * (Good + Bad), {revision:UInt64}
FROM fresh
WHERE (ServiceName, Region, GatewayId, Minute, Good, Bad) NOT IN (
    SELECT ServiceName, Region, GatewayId, Minute, Good, Bad FROM sli_minutes FINAL
    WHERE Indicator = 'M4' AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
)
