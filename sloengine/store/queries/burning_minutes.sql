-- Minutes in [lo, hi) in which anything was said of any SLO: the engine was there to say it.
SELECT DISTINCT toStartOfMinute(At) AS Minute
FROM slo_status
WHERE At >= {lo:DateTime('UTC')} AND At < {hi:DateTime('UTC')}
ORDER BY Minute
