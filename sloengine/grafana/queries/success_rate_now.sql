-- Final outcomes over the whole range and selection: good over valid. Unknown outcomes are in neither sum.
SELECT sum(Good) / nullIf(sum(Good) + sum(Bad), 0) AS success_rate
FROM success_by_minute
WHERE $__timeFilter(Minute)
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
