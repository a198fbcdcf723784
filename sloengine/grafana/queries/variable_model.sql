-- What $model may be: everything that was counted in the range.
SELECT DISTINCT ModelName FROM sli_minutes WHERE $__timeFilter(Minute) AND ModelName != '' ORDER BY ModelName LIMIT 1000
