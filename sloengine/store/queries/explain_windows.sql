-- Every window of an SLO's slice, and every part of its window that has a target of its own: name, from, until, target.
WITH
-- include explain_counted
SELECT window, target, good_ + unknown * {unknown_good:Float64} AS good, bad_ + unknown * {unknown_bad:Float64} AS bad, unknown,
    good_squares, bad_squares, bad / nullIf(good + bad, 0) AS bad_ratio, if(target = 1, bad, bad_ratio / (1 - target)) AS burn
FROM (
    SELECT W.1 AS window, W.4 AS target, greatest(0, round(sum(c.Events * c.Good), 6)) AS good_, greatest(0, round(sum(c.Events * c.Bad), 6)) AS bad_,
        round(sum(c.Events * c.Unknown) + sum(c.Unweighted), 6) AS unknown,
        round(sum(c.Squares * abs(c.Good)), 6) AS good_squares, round(sum(c.Squares * abs(c.Bad)), 6) AS bad_squares
    FROM counted AS c
    ARRAY JOIN {windows:Array(Tuple(String, DateTime('UTC'), DateTime('UTC'), Float64))} AS W
    WHERE c.Minute >= W.2 AND c.Minute < W.3
    GROUP BY W.1, W.2, W.4
)
ORDER BY window
