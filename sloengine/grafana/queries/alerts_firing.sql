-- Episodes that fire now, newest first, whenever they began.
SELECT since, severity, slo, labels, reason, dedup_key
FROM (
    SELECT DedupKey AS dedup_key, argMax(ToState, (At, TransitionId)) AS state, max(At) AS since, any(Severity) AS severity, any(Slo) AS slo,
        argMax(Reason, (At, TransitionId)) AS reason,
        any(arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), mapKeys(Labels), mapValues(Labels)), ' ')) AS labels
    FROM alert_transitions
    WHERE $__conditionalAll((Labels['region'] = '' OR Labels['region'] IN (${region:singlequote})), $region)
        AND $__conditionalAll((Labels['model'] = '' OR Labels['model'] IN (${model:singlequote})), $model)
        AND $__conditionalAll((Labels['version'] = '' OR Labels['version'] IN (${version:singlequote})), $version)
    GROUP BY dedup_key
)
WHERE state = 'firing'
ORDER BY severity, since DESC
LIMIT 100
