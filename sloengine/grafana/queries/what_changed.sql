-- Versions and rollouts first seen within the range, newest first. "First" looks back 30 days before the range and no further: reading
-- all history on each refresh would cost more than it tells.
SELECT min(Minute) AS first_seen, ModelName AS model, ModelVersion AS version, RolloutId AS rollout,
    arrayStringConcat(arraySort(groupUniqArray(toString(Region))), ' ') AS regions,
    sum(Good) + sum(Bad) AS requests, sum(Bad) / nullIf(sum(Good) + sum(Bad), 0) AS error_rate
FROM success_by_minute
WHERE Minute >= $__fromTime - toIntervalDay(30) AND Minute <= $__toTime
    AND $__conditionalAll(Region IN (${region:singlequote}), $region)
    AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
    AND $__conditionalAll(ModelVersion IN (${version:singlequote}), $version)
GROUP BY model, version, rollout
HAVING first_seen >= $__fromTime
ORDER BY first_seen DESC
LIMIT 100
