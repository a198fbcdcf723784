-- Gateways by error rate over the range: a fault of a site shows here before it shows in a region.
SELECT GatewayId AS gateway, Region AS region, bad / nullIf(valid, 0) AS error_rate,
    sumIf(m.Events, JSONExtractString(m.Attributes, 'edge.inference.outcome') = 'failure') AS bad,
    sumIf(m.Events, JSONExtractString(m.Attributes, 'edge.inference.outcome') IN ('success', 'failure')) AS valid
FROM count_minutes AS m FINAL
WHERE Measure = 'edge.inference.requests' AND $__timeFilter(Minute)
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY gateway, region
HAVING bad > 0
ORDER BY error_rate DESC, bad DESC
LIMIT 50
SETTINGS do_not_merge_across_partitions_select_final = 1
