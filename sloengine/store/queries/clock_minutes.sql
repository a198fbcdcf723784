-- How far each device's clock seemed off, minute by minute of receipt, of devices that looked suspicious lately: more than a minute off by
-- what they said themselves, or by how late (or early) their newest data was.
SELECT DeviceId, Minute, min(n.LagMin) AS Lag, min(n.ClockMin) AS Clock
FROM node_minutes AS n
WHERE Minute >= {since:DateTime('UTC')} AND DeviceId IN (
    SELECT DeviceId FROM node_minutes
    WHERE Minute >= {since:DateTime('UTC')}
    GROUP BY DeviceId
    HAVING max(abs(if(isFinite(ClockMin), ClockMin, LagMin))) >= {least:Float64}
    UNION DISTINCT
    SELECT DeviceId FROM clock_offsets FINAL WHERE Until > now64(3)
)
GROUP BY DeviceId, Minute
ORDER BY DeviceId, Minute
