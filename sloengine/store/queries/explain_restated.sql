-- What was counted anew since, and why: restatements of a slice's rows within a window.
SELECT Cause AS cause, sum(r.Minutes) AS minutes, round(sum(r.Before), 6) AS before, round(sum(r.After), 6) AS after, max(r.At) AS newest
FROM restatements AS r
WHERE r.Measure IN {measures:Array(String)} AND r.ServiceName = {service:String} AND r.At > {since:DateTime('UTC')}
    AND r.Hour >= toStartOfHour({from:DateTime('UTC')}) AND r.Hour < {until:DateTime('UTC')} AND $rows
GROUP BY Cause
ORDER BY minutes DESC
