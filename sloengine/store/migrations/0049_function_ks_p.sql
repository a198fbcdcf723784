-- Probability of a Kolmogorov-Smirnov distance of d or more between two samples of one distribution, by the limiting distribution (Kolmogorov
-- 1933, Smirnov 1948): 2 * sum over k of (-1)^(k-1) * exp(-2 * k^2 * x^2), x = d * sqrt(n * m / (n + m)). Of few bins it is too high (safe), at a
-- few dozen events rough. One look at one series: who looks at many series, or again and again, finds p < 0.05 by chance.
-- d: distance, 0 to 1, or NULL. n, m: numbers of independent events (the effective ones where events are weighted). NULL where a side is empty.
CREATE FUNCTION IF NOT EXISTS sloengine_ks_p AS (d, n, m) -> if(n > 0 AND m > 0 AND d IS NOT NULL, if(ifNull(d, 0) * sqrt(n * m / (n + m)) < 0.1, 1.,
    greatest(0., least(1., 2 * arraySum(_k -> if(_k % 2 = 1, 1, -1) * exp(-2 * pow(_k * ifNull(d, 0), 2) * n * m / (n + m)), range(1, 101))))), NULL)
