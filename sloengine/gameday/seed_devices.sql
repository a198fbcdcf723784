        -- Included in FROM: the devices of the fleet, a row each.
        SELECT d AS number, {devices:Array(String)}[d] AS device, {regions:Array(String)}[d] AS region, {gateways:Array(String)}[d] AS gateway,
            {versions:Array(String)}[d] AS version, {rollouts:Array(String)}[d] AS rollout,
            map('service.name', {service:String}, 'device.id', device, 'edge.region', region, 'edge.gateway.id', gateway,
                'edge.hardware', {hardware:String}) AS resource
        FROM (SELECT arrayJoin(arrayEnumerate({devices:Array(String)})) AS d)
