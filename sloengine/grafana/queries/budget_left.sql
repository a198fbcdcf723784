-- Budget left as known at each moment; the lowest of an interval, so that zooming out can't hide a spent budget.
SELECT $__timeInterval(At) AS time, concat(Slo, ' ', arrayStringConcat(mapValues(Slice), ' ')) AS slice, min(BudgetRemaining) AS budget_left
FROM slo_status
WHERE $__timeFilter(At) AND BudgetRemaining IS NOT NULL
    AND $__conditionalAll((Slice['region'] = '' OR Slice['region'] IN (${region:singlequote})), $region)
    AND $__conditionalAll((Slice['model'] = '' OR Slice['model'] IN (${model:singlequote})), $model)
    AND $__conditionalAll((Slice['version'] = '' OR Slice['version'] IN (${version:singlequote})), $version)
GROUP BY time, slice
ORDER BY time, slice
