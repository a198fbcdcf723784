-- Merged latency buckets per dimensions and scale over a window, for quantiles.
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
    Scale, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets
FROM latency_minutes FINAL
WHERE Minute >= {start:DateTime('UTC')} AND Minute <= {end:DateTime('UTC')}
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
