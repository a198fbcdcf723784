SELECT count() AS Orphans
FROM (
    SELECT min(p.TimeUnix + toIntervalMillisecond(p.Moved)) AS First, any(p.Begun) AS Begun
    FROM
