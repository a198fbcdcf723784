-- p50, p95 and p99 of a span's duration, weighted by how many spans each kept one stands for, with the effective sample size and a 95 % interval.
-- A quantile's interval is where the weighted distribution passes the ends of the interval of the share below it (Woodruff 1952); that share's
-- effective size allows for weights that go with duration, as behind a tail sampler. NULL: so few spans don't bound it on that side.
-- Durations are within 0.3 %. A span of unknown weight, or whose clock was set meanwhile, is in no figure, but counted.
-- param: span Span  the span's name
-- param: since Duration = 1h  how far back
-- param: model Text =  only this model
WITH
    spans AS (
        SELECT ServiceName, ModelName, ModelVersion, Duration, if(mapContains(SpanAttributes, 'edge.original_end_time_unix_nano'), NULL, AdjustedCount) AS Weight
        FROM otel_traces
        WHERE SpanName = {span:String} AND Timestamp >= now() - toIntervalSecond({since:UInt64}) AND ({model:String} = '' OR ModelName = {model:String})
        LIMIT 1 BY GatewayId, TraceId, SpanId
    ),
    -- Cells of 2^(1/128): a few thousand of them, however many spans.
    cells AS (
        SELECT ServiceName, ModelName, ModelVersion, toInt32(ceil(log2(greatest(Duration, 1)) * 128)) AS Cell, sum(ifNull(Weight, 0)) AS W,
            sum(ifNull(Weight * Weight, 0)) AS W2, countIf(Weight IS NOT NULL) AS N, countIf(Weight IS NULL) AS Unknown, max(ifNull(Weight, 0)) AS Heaviest
        FROM spans
        GROUP BY ServiceName, ModelName, ModelVersion, Cell
    ),
    summed AS (
        SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, sum(N) AS spans, sum(Unknown) AS of_unknown_weight,
            max(Heaviest) AS heaviest, sum(W) AS total, sum(W2) AS squares, arraySort(groupArrayIf((Cell, W, W2), N > 0)) AS sorted,
            arrayCumSum(sorted.2) AS below, arrayCumSum(sorted.3) AS squares_below
        FROM cells
        GROUP BY service, model, version
        HAVING total > 0
    ),
    found AS (
        -- Shares are compared with a little room: sums of weights are not exact.
        SELECT *, arrayFirstIndex(s -> s >= q * total * (1 - 1e-9), below) AS at, below[at] / total AS share,
            squares_below[at] * pow(1 - share, 2) + (squares - squares_below[at]) * pow(share, 2) AS spread,
            if(spread > 0 AND at < length(below), pow(total, 2) * share * (1 - share) / spread, pow(total, 2) / squares) AS effective,
            sloengine_wilson(q * effective, effective, 1.959964) AS bounds
        FROM (SELECT *, arrayJoin([0.5, 0.95, 0.99]) AS q FROM summed)
    )
SELECT service, model, version, q AS quantile, exp2((sorted[at].1 - 0.5) / 128) / 1e9 AS seconds,
    if(pow(1 - q, effective) > 0.025, NULL, exp2((sorted[arrayFirstIndex(s -> s >= bounds.low * total * (1 - 1e-9), below)].1 - 0.5) / 128) / 1e9) AS low,
    if(pow(q, effective) > 0.025, NULL, exp2((sorted[arrayFirstIndex(s -> s >= bounds.high * total * (1 - 1e-9), below)].1 - 0.5) / 128) / 1e9) AS high,
    round(effective, 1) AS effective, spans, total AS spans_estimated, heaviest, of_unknown_weight
FROM found
ORDER BY service, model, version, quantile
