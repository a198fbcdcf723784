-- The newest word on every slice, worst first.
SELECT Slo AS slo, arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), mapKeys(Slice), mapValues(Slice)), ' ') AS slice,
    State AS state, Sli AS sli, Target AS target, BudgetRemaining AS budget_left, Coverage AS coverage,
    Good AS good, Bad AS bad, Unknown AS unknown, Reason AS reason, At AS judged_at
FROM slo_now
WHERE $__conditionalAll((Slice['region'] = '' OR Slice['region'] IN (${region:singlequote})), $region)
    AND $__conditionalAll((Slice['model'] = '' OR Slice['model'] IN (${model:singlequote})), $model)
    AND $__conditionalAll((Slice['version'] = '' OR Slice['version'] IN (${version:singlequote})), $version)
ORDER BY indexOf(['burning', 'broken', 'exhausted', 'stale', 'no traffic', 'ok'], state), budget_left, slo, slice
LIMIT 200
