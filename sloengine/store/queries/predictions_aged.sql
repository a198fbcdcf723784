-- The (gateway, minute) buckets of predictions that reached an age during the last run or since: those made from {from} until {until}.
SELECT GatewayId, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute
FROM (
    SELECT GatewayId, Timestamp + toIntervalMillisecond(
-- include predictions_shift
        ) AS T
    FROM predictions
    WHERE Timestamp >= {from:DateTime64(3, 'UTC')} - toIntervalSecond({margin:UInt32})
        AND Timestamp <= {until:DateTime64(3, 'UTC')} + toIntervalSecond({margin:UInt32})
)
WHERE T >= {from:DateTime64(3, 'UTC')} AND T <= {until:DateTime64(3, 'UTC')}
GROUP BY GatewayId, Minute
ORDER BY GatewayId, Minute
