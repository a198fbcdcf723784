            -- What came through several gateways is the first one's, by name.
            argMin(tuple(p.ServiceName, p.ModelName, p.ModelVersion, p.Region, p.GatewayId, p.RolloutId,
                if(has(p.F.3, 'wave'), p.Own['edge.rollout.wave'], ''), if(has(p.F.3, 'hardware'), p.ResourceAttributes['edge.hardware'], ''),
                if(has(p.F.3, 'device'), p.DeviceId, '')), p.GatewayId) AS D,
            any(p.F) AS F, any(arrayMap(a ->
-- include asked_value
                , p.F.2)) AS Asked
