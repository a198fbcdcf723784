-- Wasserstein-1 distance (earth mover's) in bins: by how many bins an event has moved in the mean, 0 to B - 1; the sum of the absolute differences of
-- cumulated shares. In the values' own unit: sloengine_wasserstein_at.
-- baseline, current: arrays of B counts, bins in order. NULL where a side is empty; an error where lengths differ.
CREATE FUNCTION IF NOT EXISTS sloengine_wasserstein AS (baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    arraySum((_f, _g) -> abs(_f / arraySum(baseline) - _g / arraySum(current)), arrayCumSum(baseline), arrayCumSum(current)), NULL)
