-- How many spans a sampled one stands for, from its tracestate; what otel_traces.AdjustedCount holds. NULL without a threshold: unknown, not 1.
-- tracestate: W3C tracestate, such as 'ot=th:c;rv:123…,vendor=x'. Source and formula: sloengine_threshold_weight.
CREATE FUNCTION IF NOT EXISTS sloengine_adjusted_count AS (tracestate) -> sloengine_threshold_weight(
    extract(tracestate, '(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|$)'))
