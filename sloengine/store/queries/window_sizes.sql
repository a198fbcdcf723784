-- How many keys each measure has that window_bands.sql may be asked for: what a tick that is too large is made smaller by.
SELECT Measure, uniqExact(KeyId) AS Keys
FROM (
    SELECT Measure, KeyId FROM count_minutes WHERE toStartOfHour(Minute) IN {ragged_hours:Array(DateTime('UTC'))}
    UNION ALL
    SELECT Measure, KeyId FROM count_days WHERE Day >= toStartOfDay({cuts:Array(DateTime('UTC'))}[1])
)
GROUP BY Measure
