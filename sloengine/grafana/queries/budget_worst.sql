-- The slice with the least budget left: 1 untouched, 0 spent, negative overspent.
SELECT min(BudgetRemaining) AS budget_left
FROM slo_now
WHERE $__conditionalAll((Slice['region'] = '' OR Slice['region'] IN (${region:singlequote})), $region)
    AND $__conditionalAll((Slice['model'] = '' OR Slice['model'] IN (${model:singlequote})), $model)
    AND $__conditionalAll((Slice['version'] = '' OR Slice['version'] IN (${version:singlequote})), $version)
