-- Replaced by histogram_minutes, which the next tick fills again from the raw tables.
DROP TABLE IF EXISTS latency_minutes
