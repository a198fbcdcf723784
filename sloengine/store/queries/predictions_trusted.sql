            NOT arrayExists(q -> q.1 = GatewayId AND IngestTime >= q.2 AND IngestTime < q.3,
                {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))})
