-- How many prediction records each gateway has on each day, for counting all of them anew.
SELECT toDateTime(toDate(T), 'UTC') AS Day, GatewayId, count() AS Records
FROM (
    SELECT GatewayId, Timestamp + toIntervalMillisecond(
-- include predictions_shift
        ) AS T
    FROM predictions
)
WHERE T >= {oldest:DateTime64(3, 'UTC')} AND T < {newest:DateTime64(3, 'UTC')}
GROUP BY Day, GatewayId
ORDER BY Day, GatewayId
