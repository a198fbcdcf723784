            AND p.TimeUnix >= {from:DateTime('UTC')} - toIntervalSecond({margin:UInt32})
            AND p.TimeUnix < {hi:DateTime('UTC')} + toIntervalSecond({margin:UInt32})
-- include asked_trusted
