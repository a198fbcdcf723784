-- Hours of [lo, hi) in which some histograms have minutes, newest first, and how many rows these are.
SELECT toStartOfHour(Minute) AS Hour, count() AS Held
FROM histogram_minutes
WHERE toStartOfHour(Minute) >= {lo:DateTime('UTC')} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
    AND Measure IN {measures:Array(String)}
GROUP BY Hour
ORDER BY Hour DESC
