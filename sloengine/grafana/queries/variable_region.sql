-- What $region may be: everything that was counted in the range.
SELECT DISTINCT Region FROM sli_minutes WHERE $__timeFilter(Minute) AND Region != '' ORDER BY Region LIMIT 1000
