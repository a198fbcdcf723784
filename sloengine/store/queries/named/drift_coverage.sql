-- What the newest looks could not tell, and how many series: stale, too few events, no baseline, other bins, impossible counts.
-- param: monitor Text =  only this monitor
SELECT Monitor AS monitor, WindowEnd AS looked_until, Level AS level, Verdict AS verdict, count() AS series, round(quantileExactIf(0.5)(SmallestPsi, isFinite(SmallestPsi)), 4) AS median_psi_that_would_be_seen
FROM drift_now
WHERE {monitor:String} IN ('', Monitor)
GROUP BY monitor, looked_until, level, verdict
ORDER BY monitor, level, series DESC
