            GatewayId IN {gateways:Array(String)}
            AND Timestamp >= {lo:DateTime('UTC')} - toIntervalSecond({margin:UInt32})
            AND Timestamp < {hi:DateTime('UTC')} + toIntervalSecond({margin:UInt32})
            AND T >= {lo:DateTime('UTC')} AND T < {hi:DateTime('UTC')}
            -- Hours are there for the primary key, minutes to leave most rows unread, units for what is meant: some minutes of some gateways.
            AND (empty({hours:Array(UInt32)}) OR toStartOfHour(Timestamp) IN arrayMap(h -> toDateTime(h * 3600, 'UTC'), {hours:Array(UInt32)}))
            AND (empty({minutes:Array(UInt32)}) OR toUInt32(intDiv(toUnixTimestamp(toDateTime(Timestamp, 'UTC')), 60)) IN {minutes:Array(UInt32)})
            AND (empty({units:Array(Tuple(UInt16, UInt32))}) OR
                tuple(transform(toString(GatewayId), {gateways:Array(String)}, arrayMap(i -> toUInt16(i), arrayEnumerate({gateways:Array(String)})), toUInt16(0)), toUInt32(
                    intDiv(toUnixTimestamp(toDateTime(T, 'UTC')) - toUnixTimestamp({lo:DateTime('UTC')}), {unit:UInt32}) * {unit:UInt32}
                )) IN {units:Array(Tuple(UInt16, UInt32))}) AND
-- include predictions_trusted
