-- Expected nodes by how long nothing was heard of them, the silent ones first; never heard is the longest. Clock: seconds that a device is behind.
-- param: older Duration = 1s  only nodes silent for at least so long
-- param: region Text =  only this region
SELECT DeviceId AS device, GatewayId AS gateway, Region AS region, ServiceName AS service, LastReceived AS last_received,
    AgeSeconds AS silent_s, ClockLagSeconds AS clock_behind_s
FROM nodes_now
WHERE (AgeSeconds IS NULL OR AgeSeconds >= {older:UInt64}) AND ({region:String} = '' OR Region = {region:String})
ORDER BY AgeSeconds DESC NULLS FIRST, device
