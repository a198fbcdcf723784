            -- The gateway by a number, in the order of names: what came through several of them is the first one's.
            toUInt32(transform(GatewayId, {places:Array(String)}, arrayEnumerate({places:Array(String)}), 0)) AS Place
