-- The heaviest and lightest mean weight of a bucket row in a slice: what one sampled span stands for.
WITH
-- include explain_counted
SELECT ifNull(max(c.Squares / nullIf(c.Events, 0)), 1) AS heaviest, ifNull(min(c.Squares / nullIf(c.Events, 0)), 1) AS lightest
FROM counted AS c
WHERE c.Events > 0
