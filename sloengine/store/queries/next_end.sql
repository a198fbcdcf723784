    -- By its own time, or where its clock has, or had, moved it.
    HAVING countIf(p.TimeUnix >= {lo:DateTime('UTC')} AND p.TimeUnix < {hi:DateTime('UTC')}
        OR (DeviceId IN {skewed:Array(String)} AND arrayExists(m -> p.TimeUnix + toIntervalMillisecond(m.3) >= {lo:DateTime('UTC')}
            AND p.TimeUnix + toIntervalMillisecond(m.3) < {hi:DateTime('UTC')},
-- include asked_moves
            ))) > 0
)
GROUP BY GatewayId
