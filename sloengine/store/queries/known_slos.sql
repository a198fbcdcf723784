-- Every SLO that was ever judged, as long as statuses are kept.
SELECT DISTINCT Slo AS name FROM slo_status ORDER BY name
