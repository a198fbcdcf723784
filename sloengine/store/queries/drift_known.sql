-- Series of a level that a monitor knows, some of them.
SELECT ModelName, ModelVersion, Region, DeviceId, Segment, Value
FROM drift_series FINAL
WHERE Monitor = {monitor:String} AND Level = {level:String}
ORDER BY ModelName, ModelVersion, Region, DeviceId, Segment, Value
LIMIT 20
