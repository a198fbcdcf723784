-- Devices that were heard through more than one gateway while raw tables keep what they sent: through which, and when.
SELECT DeviceId, groupArray(tuple(GatewayId, Begin, End)) AS Places
FROM (
    SELECT DeviceId, GatewayId, min(First) AS Begin, max(Last) AS End
    FROM device_places
    GROUP BY DeviceId, GatewayId
    HAVING End >= {oldest:DateTime('UTC')}
    ORDER BY DeviceId, GatewayId
)
GROUP BY DeviceId
HAVING length(Places) > 1
ORDER BY DeviceId
