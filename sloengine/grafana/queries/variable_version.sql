-- What $version may be: versions of the selected models in the range.
SELECT DISTINCT ModelVersion FROM sli_minutes
WHERE $__timeFilter(Minute) AND ModelVersion != '' AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
ORDER BY ModelVersion LIMIT 1000
