-- Success rate by region: sums first, one division last, so that no ratio is averaged.
SELECT $__timeInterval(Minute) AS time, Region AS region, sum(Good) / nullIf(sum(Good) + sum(Bad), 0) AS success_rate
FROM success_by_minute
WHERE $__timeFilter(Minute)
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY time, region
ORDER BY time, region
