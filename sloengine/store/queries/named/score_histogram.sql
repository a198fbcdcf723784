-- How two versions of a model spread their scores: share of each bin, side by side. Where the two differ is where drift shows first.
-- param: model Text  the model
-- param: version Text  one version
-- param: against Text  the other
-- param: since Duration = 7d  how far back
SELECT low, high, sumIf(held, Version = {version:String}) AS events, sumIf(held, Version = {against:String}) AS against_events,
    events / nullIf(sum(events) OVER (), 0) AS share, against_events / nullIf(sum(against_events) OVER (), 0) AS against_share, share - against_share AS difference
FROM (
    SELECT ModelVersion AS Version, cell.1 AS low, cell.2 AS high, cell.3 AS held
    FROM histogram_minutes FINAL
    ARRAY JOIN arrayMap((k, v) -> tuple(if(k = 0, -inf, Bounds[k]), if(k = length(Bounds), inf, Bounds[k + 1]), v), mapKeys(Buckets), mapValues(Buckets)) AS cell
    WHERE Measure = 'edge.inference.score' AND notEmpty(Bounds) AND ModelName = {model:String} AND ModelVersion IN ({version:String}, {against:String})
        AND Minute >= now() - toIntervalSecond({since:UInt64})
)
GROUP BY low, high
ORDER BY low
