            p.GatewayId IN {gateways:Array(String)}
-- include asked_time
