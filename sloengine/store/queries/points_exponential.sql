        (
            SELECT SeriesId, StreamId, StartTimeUnix, TimeUnix, AggregationTemporality, Count, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts,
                NegativeOffset, NegativeBucketCounts, GatewayId, DeviceId, IngestTime,
                toFloat64(ZeroCount + arraySum(PositiveBucketCounts) + arraySum(NegativeBucketCounts)) AS Sum,
-- include asked_begun
            ,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_exponential_histogram
            WHERE MetricName IN {names:Array(String)}
                -- Scales that the data model knows, values from 2^-70 to 2^60, counts that can be subtracted: what lies outside of that comes
                -- from a broken device, and one such row would fail the whole tick.
                AND Scale BETWEEN -10 AND 20 AND ZeroCount < 9007199254740992
                AND PositiveOffset * exp2(-Scale) >= -70 AND (PositiveOffset + length(PositiveBucketCounts)) * exp2(-Scale) <= 60
                AND NegativeOffset * exp2(-Scale) >= -70 AND (NegativeOffset + length(NegativeBucketCounts)) * exp2(-Scale) <= 60
                AND arrayMax(arrayConcat([toUInt64(0)], PositiveBucketCounts)) < 9007199254740992 AND arrayMax(arrayConcat([toUInt64(0)], NegativeBucketCounts)) < 9007199254740992
        ) AS p
