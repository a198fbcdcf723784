INSERT INTO histogram_minutes (Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
    Minute, Scale, Bounds, Zero, Buckets, Negative, Items, Unweighted, Bridged, Shifted, Cause, Revision)
