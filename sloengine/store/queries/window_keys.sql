-- What the keys of window_bands.sql stand for: some of them, or all that it may give. Read when a key is met for the first time.
SELECT KeyId, Measure, ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway,
    RolloutId AS rollout, Wave AS wave, Hardware AS hardware, DeviceId AS device, Attributes
FROM (
    SELECT DISTINCT KeyId, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes
    FROM count_hour_minutes
    WHERE ({all:Bool} OR KeyId IN {ids:Array(UInt64)}) AND Hour IN {ragged_hours:Array(DateTime('UTC'))} AND Measure IN {measures:Array(String)}
    UNION ALL
    SELECT DISTINCT KeyId, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes
    FROM count_minutes
    WHERE ({all:Bool} OR KeyId IN {ids:Array(UInt64)}) AND toStartOfHour(Minute) IN {ragged_hours:Array(DateTime('UTC'))}
        AND Measure IN {measures:Array(String)}
-- include window_unkept
    UNION ALL
    SELECT DISTINCT KeyId, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes
    FROM count_days
    WHERE ({all:Bool} OR KeyId IN {ids:Array(UInt64)}) AND Day >= toStartOfDay({cuts:Array(DateTime('UTC'))}[1])
        AND Measure IN {measures:Array(String)}
)
GROUP BY ALL
