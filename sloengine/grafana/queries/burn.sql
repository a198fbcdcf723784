-- Burn rate by SLO and window, the worst slice of each: 1 spends the budget exactly over the SLO's window.
SELECT $__timeInterval(At) AS time, concat(Slo, ' ', span) AS window, max(rate) AS burn
FROM slo_status
ARRAY JOIN mapKeys(Burn) AS span, mapValues(Burn) AS rate
WHERE $__timeFilter(At)
    AND $__conditionalAll((Slice['region'] = '' OR Slice['region'] IN (${region:singlequote})), $region)
    AND $__conditionalAll((Slice['model'] = '' OR Slice['model'] IN (${model:singlequote})), $model)
    AND $__conditionalAll((Slice['version'] = '' OR Slice['version'] IN (${version:singlequote})), $version)
GROUP BY time, window
ORDER BY time, window
