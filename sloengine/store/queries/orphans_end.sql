    WHERE
-- include asked_around
        AND p.AggregationTemporality = 2
        AND p.TimeUnix + toIntervalMillisecond(p.Moved) >= {from:DateTime('UTC')} AND p.TimeUnix + toIntervalMillisecond(p.Moved) < {hi:DateTime('UTC')}
    GROUP BY p.StreamId, p.StartTimeUnix
    HAVING First >= {lo:DateTime('UTC')} AND Begun < {from:DateTime('UTC')}
)
