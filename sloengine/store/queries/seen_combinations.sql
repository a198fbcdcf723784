-- How many combinations of the asked dimensions and attributes there were in the last 7 days.
SELECT uniqExact(Found) AS Combinations
FROM (
-- include seen_rows
)
SETTINGS max_execution_time = 60
