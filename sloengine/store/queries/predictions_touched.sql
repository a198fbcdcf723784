-- Which (gateway, minute) buckets of predictions were touched by what came in during an interval of ingest time. A label touches the minute of
-- its prediction, not its own; a record touches the other records of its id as well, because only the first counts.
-- A device whose clock is, or was, known to be off touches the minutes that its records may be moved to, and those that they are moved from.
SELECT Cause, GatewayId, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute
FROM (
    SELECT Cause, GatewayId, Timestamp + toIntervalMillisecond(arrayJoin(arrayConcat([toInt64(0)], arrayMap(m -> m.3,
-- include asked_moves
            )))) AS T
    FROM (
        SELECT 'arrival' AS Cause, GatewayId, DeviceId, GatewayTime, Timestamp
        FROM prediction_places
        WHERE PredictionId IN (
                SELECT PredictionId FROM predictions
                WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
            )
            AND Timestamp >= (
                SELECT min(Timestamp) FROM predictions
                WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
            ) - toIntervalDay(2)
            AND Timestamp <= (
                SELECT max(Timestamp) FROM predictions
                WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
            ) + toIntervalDay(2)
        UNION ALL
        SELECT 'label', GatewayId, DeviceId, GatewayTime, Timestamp
        FROM prediction_places
        WHERE PredictionId IN (
            SELECT PredictionId FROM labels
            WHERE IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')}
        )
    )
)
WHERE T >= {oldest:DateTime64(3, 'UTC')} AND T < {newest:DateTime64(3, 'UTC')}
GROUP BY Cause, GatewayId, Minute
ORDER BY Cause, GatewayId, Minute
