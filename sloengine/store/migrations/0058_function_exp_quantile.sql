-- Quantile of exponential buckets of values that are not negative, in the values' own unit: the geometric middle of the bucket that holds it, off by
-- at most the share that sloengine_exp_error(scale) says. Merge first, then take the quantile: quantiles are never averaged.
-- q: 0 to 1. scale: of all the buckets. zero: count of values that are zero. buckets: Map(Int32, Float64), weights may be fractions.
-- NULL where nothing was counted. Source: OpenTelemetry metrics data model, exponential histogram.
CREATE FUNCTION IF NOT EXISTS sloengine_exp_quantile AS (q, scale, zero, buckets) -> if(zero + arraySum(mapValues(buckets)) > 0, if(zero > 0 AND q * (zero + arraySum(mapValues(buckets))) <= zero, 0.,
    arrayMap((_keys, _sums, _rank) -> exp2((_keys[if(_sums[-1] < _rank, -1, arrayFirstIndex(_s -> _s >= _rank, _sums))] + 0.5) * exp2(-toFloat64(scale))),
        [arrayMap(_c -> _c.1, arraySort(arrayFilter(_c -> _c.2 > 0, arrayZip(mapKeys(buckets), mapValues(buckets)))))],
        [arrayCumSum(arrayMap(_c -> _c.2, arraySort(arrayFilter(_c -> _c.2 > 0, arrayZip(mapKeys(buckets), mapValues(buckets))))))],
        [q * (zero + arraySum(mapValues(buckets))) - zero])[1]), NULL)
