-- How many cumulative series of a range have no earlier point within the look-back although they may have begun before it: their first increase
-- can't be known without looking further back.
SELECT count() AS Orphans
FROM (
    SELECT min(p.TimeUnix + toIntervalMillisecond(p.Moved)) AS First, any(p.Begun) AS Begun
    FROM
-- include points_sums
    WHERE
-- include asked_around
        AND p.AggregationTemporality = 2
        AND p.TimeUnix + toIntervalMillisecond(p.Moved) >= {from:DateTime('UTC')} AND p.TimeUnix + toIntervalMillisecond(p.Moved) < {hi:DateTime('UTC')}
    GROUP BY p.StreamId, p.StartTimeUnix
    HAVING First >= {lo:DateTime('UTC')} AND Begun < {from:DateTime('UTC')}
)
