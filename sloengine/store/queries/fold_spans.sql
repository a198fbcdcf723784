-- Spans, some gateways, minutes [lo, hi): weights of deduplicated spans by the asked attributes, and by duration in seconds where it is cut. A
-- span stands for its adjusted count of requests; one of unknown weight is counted apart and in no figure. A million of them come in at
-- once, so of each as little as possible is carried: there is one fold per span name, and a row holds its number, not what it says.
-- include insert_counts
WITH
    spans AS (
        SELECT p.N AS N, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId,
            if(arrayMap(f -> has(f.3, 'wave'), {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))})[p.N], p.Own['edge.rollout.wave'], '') AS Wave,
            if(arrayMap(f -> has(f.3, 'hardware'), {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))})[p.N], p.ResourceAttributes['edge.hardware'], '') AS Hardware,
            if(arrayMap(f -> has(f.3, 'device'), {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))})[p.N], DeviceId, '') AS Device,
            arrayMap(a ->
-- include asked_value
                , arrayMap(f -> f.2, {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))})[p.N]) AS Asked,
            -- How many cuts lie below; -1 for a clock that was set during the span, or a broken device: no duration rather than one of 0.
            if(mapContains(p.Own, 'edge.original_end_time_unix_nano'), -1,
                toInt32(arrayCount(c -> toInt64(p.Duration) / 1e9 > c, arrayMap(f -> f.4, {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))})[p.N]))) AS Above,
            toStartOfMinute(toDateTime(p.TimeUnix + toIntervalMillisecond(p.Moved), 'UTC')) AS Minute, p.AdjustedCount AS Weight, p.Moved != 0 AS IsMoved
        FROM (
            SELECT toUInt16(indexOf(arrayMap(f -> f.6, {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}), SpanName)) AS N, Timestamp AS TimeUnix, SpanAttributes AS Own, ResourceAttributes, TraceId,
                SpanId, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, Duration, AdjustedCount, GatewayTime, IngestTime,
-- include asked_shift
            FROM otel_traces
            WHERE SpanName IN {names:Array(String)}
        ) AS p
        WHERE p.TimeUnix + toIntervalMillisecond(p.Moved) >= {lo:DateTime('UTC')} AND p.TimeUnix + toIntervalMillisecond(p.Moved) < {hi:DateTime('UTC')} AND
-- include asked_rows
-- include asked_owner
        -- At-least-once delivery: a span is (TraceId, SpanId).
        LIMIT 1 BY p.GatewayId, p.TraceId, p.SpanId
    ),
    groups AS (
        SELECT N, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, Device, Asked, Above, Minute,
            -- Rounded to a millionth: floats are added in any order, and a re-run must write nothing.
            tuple(round(sum(ifNull(Weight, 0)), 6), round(sum(ifNull(Weight * Weight, 0)), 6), countIf(Weight IS NOT NULL),
                countIf(Weight IS NULL), 0., round(sumIf(ifNull(Weight, 0), IsMoved), 6)) AS Figures
        FROM spans
        GROUP BY N, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, Device, Asked, Above, Minute
    ),
    fresh AS (
        SELECT F.1 AS Measure, tuple(ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, Device) AS D, Minute,
            {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}[N] AS F,
            if(empty(F.4), '', if(Above > 0, toString(F.4[Above]), '-inf')) AS Gt,
            if(empty(F.4), '', if(Above >= 0 AND Above < length(F.4), toString(F.4[Above + 1]), 'inf')) AS Le,
-- include banded_key
            , Figures
        FROM groups
    ),
-- include settle_counts
