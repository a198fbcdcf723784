-- Every change of an alert episode in the range, newest first. FINAL: an export that was repeated is one row.
SELECT At AS at, Severity AS severity, FromState AS from_state, ToState AS to_state, Slo AS slo,
    arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), mapKeys(Labels), mapValues(Labels)), ' ') AS labels,
    Reason AS reason, DedupKey AS dedup_key
FROM alert_transitions FINAL
WHERE $__timeFilter(At)
    AND $__conditionalAll((Labels['region'] = '' OR Labels['region'] IN (${region:singlequote})), $region)
    AND $__conditionalAll((Labels['model'] = '' OR Labels['model'] IN (${model:singlequote})), $model)
    AND $__conditionalAll((Labels['version'] = '' OR Labels['version'] IN (${version:singlequote})), $version)
ORDER BY at DESC
LIMIT 200
