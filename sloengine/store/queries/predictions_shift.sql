            -- A device whose clock is off by a known amount is put right; milliseconds, 0 for all others.
            arrayFirst(s -> s.1 = DeviceId AND GatewayTime >= s.2 AND GatewayTime < s.3,
                {skew:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC'), Int64))}).4
