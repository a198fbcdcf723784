-- The same as marks on the graphs: when a version of a model was first seen.
SELECT min(Minute) AS time, concat(ModelName, ' ', ModelVersion, ' first seen') AS text
FROM success_by_minute
WHERE Minute >= $__fromTime - toIntervalDay(30) AND Minute <= $__toTime
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY ModelName, ModelVersion
HAVING time >= $__fromTime
ORDER BY time
LIMIT 100
