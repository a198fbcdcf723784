SELECT {places:Array(String)}[toUInt32(Next % 4294967296)] AS GatewayId,
    groupUniqArrayIf(toStartOfMinute(toDateTime(intDiv(intDiv(Next, 4294967296), 1000000000), 'UTC')), Next != 0) AS Minutes, countIf(Next = 0) AS Open
FROM (
    -- The next point's time in nanoseconds with the number of its gateway behind it: of a point that came through two, the first one's. A point of
    -- a gateway in quarantine is none.
    SELECT minIf(toUInt128(toUnixTimestamp64Nano(p.TimeUnix + toIntervalMillisecond(p.Moved))) * 4294967296 + p.Place,
        p.TimeUnix + toIntervalMillisecond(p.Moved) >= {hi:DateTime('UTC')}
