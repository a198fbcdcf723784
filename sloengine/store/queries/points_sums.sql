        (
            SELECT SeriesId, StreamId, StartTimeUnix, TimeUnix, Value, AggregationTemporality, GatewayId, DeviceId, IngestTime,
-- include asked_begun
            ,
-- include asked_place
            ,
-- include asked_shift
            FROM otel_metrics_sum
            WHERE MetricName IN {names:Array(String)} AND IsMonotonic
                -- What no counter can say (NaN, infinite, negative, beyond exact floats) is left out: one such row would fail the whole tick.
                AND isFinite(Value) AND Value >= 0 AND Value < 9007199254740992
        ) AS p
