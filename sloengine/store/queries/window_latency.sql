-- The same for latency under a threshold (M2): a bucket is good if its geometric middle is, so the threshold is honoured within
-- half a bucket: 0.54 % at scale 6.
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
    sumForEach(arrayMap(s -> if(Minute >= {end:DateTime('UTC')} - s, Fast, 0), {spans:Array(UInt32)})) AS Good,
    sumForEach(arrayMap(s -> if(Minute >= {end:DateTime('UTC')} - s, Slow, 0), {spans:Array(UInt32)})) AS Bad,
    max(Minute) AS Last
FROM (
    SELECT *, pow(2, -Scale) AS Width,
        Zero + arraySum((k, v) -> if(exp2((k + 0.5) * Width) <= {threshold_s:Float64}, v, 0), mapKeys(Buckets), mapValues(Buckets)) AS Fast,
        Zero + arraySum(mapValues(Buckets)) - Fast AS Slow
    FROM latency_minutes FINAL
    WHERE Minute >= {end:DateTime('UTC')} - arrayMax({spans:Array(UInt32)}) AND Minute <= {end:DateTime('UTC')}
)
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
