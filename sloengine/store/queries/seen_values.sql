-- Values that the asked dimensions and attributes had in the last 7 days, at most 201 of each.
SELECT count() AS Items, groupUniqArrayForEach(201)(Found) AS Values
FROM (
-- include seen_rows
)
SETTINGS max_execution_time = 60
