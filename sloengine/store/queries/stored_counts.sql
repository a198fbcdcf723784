-- What is stored of one measure in a span of minutes, newest revision, for comparing with what was derived anew.
SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes, Minute, Events
FROM count_minutes FINAL
WHERE Measure = {measure:String} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')} AND Items > 0
SETTINGS do_not_merge_across_partitions_select_final = 1
