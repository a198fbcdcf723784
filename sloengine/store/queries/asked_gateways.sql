            (p.GatewayId IN {gateways:Array(String)} OR (p.GatewayId IN {elsewhere:Array(String)} AND p.DeviceId IN {roaming:Array(String)}))
