-- The models that were counted in the range.
-- Grafana escapes quotes but not backslashes, so that a name with one would end its quotes: left out.
SELECT DISTINCT ModelName FROM count_minutes WHERE $__timeFilter(Minute) AND ModelName != '' AND position(ModelName, '\\') = 0 ORDER BY ModelName LIMIT 1000
