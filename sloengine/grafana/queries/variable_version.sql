-- The versions of the selected models in the range.
-- Grafana escapes quotes but not backslashes, so that a name with one would end its quotes: left out.
SELECT DISTINCT ModelVersion FROM count_minutes
WHERE $__timeFilter(Minute) AND ModelVersion != '' AND position(ModelVersion, '\\') = 0 AND $__conditionalAll(ModelName IN (${model:singlequote}), $model)
ORDER BY ModelVersion LIMIT 1000
