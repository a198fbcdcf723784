-- How many hours of some measures hold a minute that was written after their hour was folded: a roll-up is under way, or was left off.
SELECT count() AS Hours
FROM (
    SELECT Measure, GatewayId, toStartOfHour(Minute) AS Hour, max(Revision) AS Written
    FROM count_minutes
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
        AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')}
    GROUP BY Measure, GatewayId, Hour
) AS m
LEFT JOIN (
    SELECT Measure, GatewayId, Hour, max(Revision) AS Folded
    FROM count_hour_minutes
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
        AND Hour >= toStartOfHour({from:DateTime('UTC')}) AND Hour < {until:DateTime('UTC')}
    GROUP BY Measure, GatewayId, Hour
) AS h ON m.Measure = h.Measure AND m.GatewayId = h.GatewayId AND m.Hour = h.Hour
WHERE Written > Folded
