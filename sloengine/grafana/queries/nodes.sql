-- Expected nodes that are silent, longest first; the clock offset is the gateway's time minus the device's.
SELECT DeviceId AS device, Region AS region, GatewayId AS gateway, ServiceName AS service,
    multiIf(AgeSeconds IS NULL, 'never heard', AgeSeconds > 300, 'stale', 'fresh') AS state,
    LastReceived AS last_received, AgeSeconds AS age, ClockLagSeconds AS clock_offset
FROM nodes_now
WHERE (AgeSeconds IS NULL OR AgeSeconds > 300)
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
ORDER BY isNull(age) DESC, age DESC, device
LIMIT 100
