        (
            SELECT SeriesId, StreamId, TimeUnix, Value, GatewayId, DeviceId, IngestTime,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_gauge
            WHERE MetricName IN {names:Array(String)} AND isFinite(Value)
        ) AS p
