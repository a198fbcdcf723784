-- Hours in which minutes were written after the last roll-up that folded hours: one that failed, or was killed, left them behind.
SELECT DISTINCT toStartOfHour(Minute) AS Hour
FROM count_minutes
WHERE Revision > {revision:UInt64}
ORDER BY Hour
