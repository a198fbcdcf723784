        (
            SELECT ServiceName, Region, GatewayId, DeviceId, TimeUnix, IngestTime,
                cityHash64(if(DeviceId = '', GatewayId, ''), DeviceId, ServiceName, Region) AS StreamId,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_sum
            WHERE MetricName = 'edge.inference.requests'
        ) AS p
