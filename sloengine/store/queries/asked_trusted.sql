            AND NOT arrayExists(q -> q.1 = p.GatewayId AND p.IngestTime >= q.2 AND p.IngestTime < q.3,
                {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))})
