-- The error budget of an SLO's slice: each valid event allows 1 - target bad ones, by the target of its own time.
SELECT sum((1 - target) * (good + bad)) AS allowed, sum(bad) AS spent, if(allowed > 0, 1 - spent / allowed, 1 - spent) AS remaining,
    remaining * (allowed / sum(good + bad)) * {length:Float64} AS left_s
FROM ($sums)
