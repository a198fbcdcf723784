-- The newest word on every slice of every SLO.
CREATE VIEW IF NOT EXISTS slo_now AS
SELECT * FROM slo_status
WHERE At > now() - toIntervalHour(1)
ORDER BY At DESC
LIMIT 1 BY Slo, Slice
