-- Around [lo, hi): the newest slice before it and the oldest after it in which something was heard, per key; as far as [from, until).
SELECT Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
    maxOrNullIf(Minute, Minute < {lo:DateTime('UTC')}) AS Before, minOrNullIf(Minute, Minute >= {hi:DateTime('UTC')}) AS After
FROM count_minutes FINAL
WHERE Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')} AND startsWith(Measure, 'slice:')
    AND (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)})
    AND toStartOfHour(Minute) >= toStartOfHour({from:DateTime('UTC')}) AND Items > 0 AND JSONExtractString(Attributes, 'reason') != 'missing'
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
