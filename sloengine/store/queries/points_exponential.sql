        (
            SELECT SeriesId, StreamId, StartTimeUnix, TimeUnix, AggregationTemporality, Count, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts,
                NegativeOffset, NegativeBucketCounts, GatewayId, DeviceId, IngestTime, Told,
-- include asked_begun
            ,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_exponential_histogram
            WHERE MetricName IN {names:Array(String)} AND Told >= 0
        ) AS p
