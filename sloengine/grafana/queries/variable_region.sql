-- The regions that were counted in the range.
-- Grafana escapes quotes but not backslashes, so that a name with one would end its quotes: left out.
SELECT DISTINCT Region FROM count_minutes WHERE $__timeFilter(Minute) AND Region != '' AND position(Region, '\\') = 0 ORDER BY Region LIMIT 1000
