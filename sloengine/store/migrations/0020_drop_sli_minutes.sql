-- Replaced by count_minutes, which the next tick fills again from the raw tables.
DROP TABLE IF EXISTS sli_minutes
