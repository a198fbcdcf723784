            -- A device whose clock is off by a known amount is put right; milliseconds, 0 for all others.
            arrayFirst(m -> toUnixTimestamp64Milli(GatewayTime) >= m.1 AND toUnixTimestamp64Milli(GatewayTime) < m.2,
-- include asked_moves
            ).3
