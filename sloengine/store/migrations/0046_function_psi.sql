-- Population stability index of two histograms over the same bins: sum of (q - p) * ln(q / p), natural logarithm, 0 or more, no unit; with a
-- half added per bin and shares taken after that, p = (count + 1/2) / (n + B/2), so that empty bins neither explode it nor hide.
-- baseline, current: arrays of B counts (any numbers, 0 or more). NULL where a side is empty; an error where lengths differ. Swapping sides
-- changes nothing. Without drift it is about sloengine_psi_noise, not 0. Source: Siddiqi 2006; Jeffreys 1946 for the half.
CREATE FUNCTION IF NOT EXISTS sloengine_psi AS (baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    arraySum((_p, _q) -> (_q - _p) * log(_q / _p),
        arrayMap(_b -> (_b + 0.5) / (arraySum(baseline) + 0.5 * length(baseline)), baseline),
        arrayMap(_c -> (_c + 0.5) / (arraySum(current) + 0.5 * length(current)), current)), NULL)
