-- What each monitor's newest look said of every series.
CREATE VIEW IF NOT EXISTS drift_now AS
SELECT * FROM drift_by_series
WHERE (Monitor, WindowEnd) IN (SELECT Monitor, max(WindowEnd) FROM drift_verdicts WHERE WindowEnd > now() - toIntervalDay(3) GROUP BY Monitor)
