        (
            SELECT SeriesId, StreamId, StartTimeUnix, TimeUnix, AggregationTemporality, Count, ExplicitBounds, BucketCounts, GatewayId, DeviceId, IngestTime,
-- include asked_begun
            ,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_histogram
            WHERE MetricName IN {names:Array(String)}
                -- A histogram without buckets tells of no distribution; one whose parts don't fit together of nothing.
                AND length(BucketCounts) = length(ExplicitBounds) + 1 AND notEmpty(ExplicitBounds)
                AND arraySort(ExplicitBounds) = ExplicitBounds AND arrayAll(b -> isFinite(b), ExplicitBounds)
                AND arrayMax(BucketCounts) < 9007199254740992
        ) AS p
