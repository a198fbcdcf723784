-- Error rate by model and version: a bad version stands out from its predecessor on the same devices.
SELECT $__timeInterval(Minute) AS time, concat(ModelName, ' ', ModelVersion) AS version,
    sum(Bad) / nullIf(sum(Good) + sum(Bad), 0) AS error_rate
FROM success_by_minute
WHERE $__timeFilter(Minute)
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY time, version
ORDER BY time, version
