        (
            SELECT SeriesId, StreamId, StartTimeUnix, TimeUnix, AggregationTemporality, Count, ExplicitBounds, BucketCounts, GatewayId, DeviceId, IngestTime, Told,
-- include asked_begun
            ,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_histogram
            WHERE MetricName IN {names:Array(String)} AND Told >= 0
        ) AS p
