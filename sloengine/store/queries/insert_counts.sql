INSERT INTO count_minutes (Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Minute, Events, Squares, Items, Unweighted, Bridged, Shifted, Cause, Before, Revision)
