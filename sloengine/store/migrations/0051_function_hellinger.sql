-- Hellinger distance, 0 to 1: sqrt(sum of (sqrt(p) - sqrt(q))^2 / 2) over shares p and q. Nothing is added to empty bins.
-- baseline, current: arrays of B counts. NULL where a side is empty; an error where lengths differ. Source: Hellinger 1909.
CREATE FUNCTION IF NOT EXISTS sloengine_hellinger AS (baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    sqrt(arraySum((_b, _c) -> pow(sqrt(_b / arraySum(baseline)) - sqrt(_c / arraySum(current)), 2), baseline, current) / 2), NULL)
