-- How many events a sampled one stands for, from its threshold: 2^56 / (2^56 - T), T the hex digits of `th` right-padded with zeros to 14.
-- th: 1 to 14 lower-case hex digits, as in TraceState `ot=th:…` and edge.sampling.threshold. NULL for anything else: unknown is not 1.
-- The difference is taken in integers: in Float64 the largest threshold would weigh infinity. Source: OpenTelemetry specification, TraceState
-- probability sampling.
CREATE FUNCTION IF NOT EXISTS sloengine_threshold_weight AS (th) -> if(match(th, '^[0-9a-f]{1,14}$'),
    pow(2, 56) / (bitShiftLeft(toUInt64(1), 56)
        - reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(extract(th, '^[0-9a-f]{1,14}$'), 14, '0')))))), NULL)
