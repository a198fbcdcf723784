-- How many hours of some measures windows don't sum as their minutes are now: a roll-up is under way, or was left off. Between minutes and what is put
-- together of an hour the revisions tell; beyond it figures do, since only rows whose figures differ are written.
WITH written AS (
    SELECT Measure, GatewayId, toStartOfHour(Minute) AS Hour, max(Revision) AS Newest
    FROM count_minutes
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
        AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')}
    GROUP BY Measure, GatewayId, Hour
),
together AS (
    SELECT Measure, GatewayId, Hour, max(Revision) AS Newest, sum(arraySum(Events)) AS E, sum(Items) AS N, count() AS Keys
    FROM count_hour_minutes FINAL
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
        AND Hour >= toStartOfDay({from:DateTime('UTC')}) AND Hour < toStartOfDay({until:DateTime('UTC')}) + INTERVAL 1 DAY
    GROUP BY Measure, GatewayId, Hour
),
hours AS (
    SELECT Measure, GatewayId, Hour, sum(Events) AS E, sum(Items) AS N
    FROM count_hours FINAL
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
        AND Hour >= toStartOfDay({from:DateTime('UTC')}) AND Hour < toStartOfDay({until:DateTime('UTC')}) + INTERVAL 1 DAY
    GROUP BY Measure, GatewayId, Hour
),
days AS (
    SELECT Measure, GatewayId, Day, sum(Events) AS E, sum(Items) AS N
    FROM count_days FINAL
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
        AND Day >= toStartOfDay({from:DateTime('UTC')}) AND Day < {until:DateTime('UTC')}
    GROUP BY Measure, GatewayId, Day
)
SELECT
    (SELECT count() FROM written AS w LEFT JOIN together AS t USING (Measure, GatewayId, Hour) WHERE w.Newest > t.Newest)
    + (SELECT countIf(t.N != h.N OR abs(t.E - h.E) > 1e-6 * (t.Keys + 1) + 1e-9 * t.E)
       FROM together AS t LEFT JOIN hours AS h USING (Measure, GatewayId, Hour))
    + (SELECT countIf(a.N != d.N OR abs(a.E - d.E) > 1e-6 * (a.Keys + 1) + 1e-9 * a.E)
       FROM (SELECT Measure, GatewayId, toStartOfDay(Hour) AS Day, sum(E) AS E, sum(N) AS N, sum(Keys) AS Keys
             FROM (SELECT h.Measure AS Measure, h.GatewayId AS GatewayId, h.Hour AS Hour, h.E AS E, h.N AS N, t.Keys AS Keys
                   FROM hours AS h LEFT JOIN together AS t USING (Measure, GatewayId, Hour))
             GROUP BY Measure, GatewayId, Day) AS a
       LEFT JOIN days AS d USING (Measure, GatewayId, Day)) AS Hours,
    (SELECT max(Newest) FROM written) AS Newest
