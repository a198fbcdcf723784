-- How many episodes fire now. All of the table is read: an episode that began before the range may still fire, and only changes are rows.
SELECT countIf(state = 'firing') AS firing
FROM (
    SELECT DedupKey, argMax(ToState, (At, TransitionId)) AS state
    FROM alert_transitions
    WHERE $__conditionalAll((Labels['region'] = '' OR Labels['region'] IN (${region:singlequote})), $region)
        AND $__conditionalAll((Labels['model'] = '' OR Labels['model'] IN (${model:singlequote})), $model)
        AND $__conditionalAll((Labels['version'] = '' OR Labels['version'] IN (${version:singlequote})), $version)
    GROUP BY DedupKey
)
