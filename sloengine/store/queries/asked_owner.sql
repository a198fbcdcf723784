            -- What several gateways delivered is that one's which keeps most, or the first one's by name.
            AND (p.DeviceId NOT IN {roaming:Array(String)} OR (p.GatewayId, p.TraceId, p.SpanId) IN (
                SELECT argMin(p.GatewayId, (ifNull(p.AdjustedCount, inf), p.GatewayId)), TraceId, SpanId
                FROM (
                    SELECT TraceId, SpanId, AdjustedCount, GatewayId, DeviceId, IngestTime, Timestamp AS TimeUnix
                    FROM otel_traces
                    WHERE SpanName IN {names:Array(String)} AND DeviceId IN {roaming:Array(String)}
                ) AS p
                WHERE
-- include asked_around
                GROUP BY TraceId, SpanId
            ))
