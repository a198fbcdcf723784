-- Requests that spans are attempts of, some gateways, minutes [lo, hi): as fold_spans.sql, but where a measure names an attribute as its request,
-- the spans of one request count once, with the last attempt's attributes, from the first one's start to the last one's end.
-- Attempts lie within an hour of each other. An id is its device's own; a request is counted where its first attempt came through.
-- include insert_counts
WITH
    spans AS (
        -- At-least-once delivery: a span is (TraceId, SpanId). Where gateways sample differently, it was kept by whoever keeps most.
        SELECT TraceId, SpanId, Measure, any(p.TimeUnix) AS T, min(p.AdjustedCount) AS Weight, any(p.Own[p.F.5]) AS Request,
            any(tuple(if(p.DeviceId = '', p.GatewayId, ''), p.ServiceName, p.DeviceId)) AS Asker,
            -- A clock that was set during the span, or a broken device: no duration rather than one of 0.
            any(if(mapContains(p.Own, 'edge.original_end_time_unix_nano'), NULL, p.Duration)) AS Lasted,
-- include asked_columns
            , argMin(p.Moved, p.GatewayId) AS Shift
        FROM (
            SELECT arrayJoin(arrayMap(f -> f.1, arrayFilter(f -> f.6 = SpanName,
                {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}))) AS Measure,
                Timestamp AS TimeUnix, SpanAttributes AS Own, *,
-- include asked_folds
            ,
-- include asked_shift
            FROM otel_traces
            WHERE SpanName IN {names:Array(String)}
        ) AS p
        WHERE
-- include asked_around
        GROUP BY TraceId, SpanId, Measure
    ),
    requests AS (
        SELECT Measure, min(T + toIntervalMillisecond(Shift)) AS Begin, argMin(D.5, (T, SpanId)) AS Gateway,
            argMax(tuple(D, F, Asked, Shift, Weight), (T, ifNull(Lasted, 0), SpanId)) AS Last,
            if(countIf(Lasted IS NULL) > 0, NULL,
                (max(toUnixTimestamp64Nano(T) + toInt64(ifNull(Lasted, 0))) - min(toUnixTimestamp64Nano(T))) / 1e9) AS Seconds
        FROM spans
        GROUP BY Measure, Asker, if(Request = '', concat(TraceId, SpanId), Request)
    ),
    placed AS (
        SELECT Measure, toStartOfMinute(toDateTime(Begin, 'UTC')) AS Minute,
            tuple(Last.1.1, Last.1.2, Last.1.3, Last.1.4, Gateway, Last.1.6, Last.1.7, Last.1.8, Last.1.9) AS D, Last.2 AS F, Last.3 AS Asked, Last.4 AS Shift, Last.5 AS Weight,
            if(empty(F.4), '', ifNull(toString(arrayLastOrNull(c -> ifNull(Seconds > c, false), F.4)), '-inf')) AS Gt,
            if(empty(F.4), '', ifNull(toString(arrayFirstOrNull(c -> ifNull(Seconds <= c, false), F.4)), 'inf')) AS Le
        FROM requests
        WHERE Gateway IN {gateways:Array(String)} AND Begin >= {lo:DateTime('UTC')} AND Begin < {hi:DateTime('UTC')}
    ),
    fresh AS (
        SELECT Measure, D, Minute,
-- include banded_key
            -- Rounded to a millionth: floats are added in any order, and a re-run must write nothing.
            , tuple(round(sum(ifNull(Weight, 0)), 6), round(sum(ifNull(Weight * Weight, 0)), 6), countIf(Weight IS NOT NULL),
                countIf(Weight IS NULL), 0., round(sumIf(ifNull(Weight, 0), Shift != 0), 6)) AS Figures
        FROM placed
        GROUP BY Measure, D, F, Asked, Gt, Le, Minute
    ),
-- include settle_counts
