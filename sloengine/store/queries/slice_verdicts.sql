-- Verdicts as they are stored, newest revision, slices that begin in [lo, hi).
SELECT Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes, Minute, Events
FROM count_minutes FINAL
WHERE Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')} AND startsWith(Measure, 'slice:') AND (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)})
    AND toStartOfHour(Minute) >= toStartOfHour({lo:DateTime('UTC')}) AND Items > 0
SETTINGS do_not_merge_across_partitions_select_final = 1
