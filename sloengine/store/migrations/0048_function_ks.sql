-- Kolmogorov-Smirnov distance of two histograms over the same bins: the largest difference of their cumulated shares, 0 to 1. Inside a bin
-- nothing is known: the distance of the raw values is this or more.
-- baseline, current: arrays of B counts, bins in order. NULL where a side is empty; an error where lengths differ.
CREATE FUNCTION IF NOT EXISTS sloengine_ks AS (baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    arrayMax((_f, _g) -> abs(_f / arraySum(baseline) - _g / arraySum(current)), arrayCumSum(baseline), arrayCumSum(current)), NULL)
