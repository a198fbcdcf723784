-- Gateways that a device was ever heard through, or is expected to be.
SELECT name FROM (
    SELECT DISTINCT GatewayId AS name FROM device_places
    UNION DISTINCT
    SELECT DISTINCT GatewayId FROM inventory
)
ORDER BY name
