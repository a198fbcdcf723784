            -- A device whose clock is off by a known amount is put right: milliseconds to add, 0 for all others. Part of a metric point's identity: a
            -- clock that is set back shows the same times again.
            arrayFirst(m -> toUnixTimestamp64Milli(GatewayTime) >= m.1 AND toUnixTimestamp64Milli(GatewayTime) < m.2,
-- include asked_moves
            ).3 AS Moved
