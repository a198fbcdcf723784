-- Every window of every SLO of the counting indicators in one pass: sums per dimensions, windows as arrays in the order of `spans` (seconds).
-- The newest revision of each minute counts.
SELECT Indicator, ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
    sumForEach(arrayMap(s -> if(Minute >= {end:DateTime('UTC')} - s, Good, 0), {spans:Array(UInt32)})) AS Good,
    sumForEach(arrayMap(s -> if(Minute >= {end:DateTime('UTC')} - s, Bad, 0), {spans:Array(UInt32)})) AS Bad,
    sumForEach(arrayMap(s -> if(Minute >= {end:DateTime('UTC')} - s, Unknown, 0), {spans:Array(UInt32)})) AS Unknown,
    sumForEach(arrayMap(s -> if(Minute >= {end:DateTime('UTC')} - s, CoveredSeconds, 0), {spans:Array(UInt32)})) AS Covered,
    max(Minute) AS Last
FROM sli_minutes FINAL
WHERE Minute >= {end:DateTime('UTC')} - arrayMax({spans:Array(UInt32)}) AND Minute <= {end:DateTime('UTC')}
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
