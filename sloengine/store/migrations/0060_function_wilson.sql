-- Score interval of a ratio (Wilson 1927), a tuple (low, high) of numbers in [0, 1]: .low and .high, or .1 and .2. Near its confidence on average,
-- below it where few of one outcome are expected: for a figure at a glance, not for a decision.
-- good, total: numbers of independent events, 0 <= good <= total; (0, 1) of none. Where events are weighted, give ratio * effective and effective,
-- effective being sum(w)^2 / sum(w^2). z: quantile of the normal distribution, 1.959964 for 95 %, 2.575829 for 99 %.
CREATE FUNCTION IF NOT EXISTS sloengine_wilson AS (good, total, z) -> CAST(if(total > 0, tuple(
    greatest(0., least(good / total, (good + z * z / 2 - z * sqrt(good * (1 - good / total) + z * z / 4)) / (total + z * z))),
    least(1., greatest(good / total, (good + z * z / 2 + z * sqrt(good * (1 - good / total) + z * z / 4)) / (total + z * z)))), tuple(0., 1.)),
    'Tuple(low Float64, high Float64)')
