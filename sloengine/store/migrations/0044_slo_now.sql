-- The newest word on every slice of every SLO, with what is known of its figure's trust; a view keeps the columns of its birth.
CREATE OR REPLACE VIEW slo_now AS
SELECT * FROM slo_status
WHERE At > now() - toIntervalHour(1)
ORDER BY At DESC
LIMIT 1 BY Slo, Slice
