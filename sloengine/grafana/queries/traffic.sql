-- Valid and unknown events per interval: a ratio over few events, or beside many unknown ones, means little.
SELECT $__timeInterval(Minute) AS time, sum(Good) AS good, sum(Bad) AS bad, sum(Unknown) AS unknown
FROM success_by_minute
WHERE $__timeFilter(Minute)
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY time
ORDER BY time
