-- include asked_gateways
        AND p.TimeUnix >= {lo:DateTime('UTC')} - toIntervalSecond({margin:UInt32})
        AND p.TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({reach:UInt32} + {margin:UInt32})
