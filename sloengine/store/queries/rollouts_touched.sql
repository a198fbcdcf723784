-- Rollouts to count anew: those of which an update event or a declared target came in during an interval of ingest time, and those in which
-- something reached the age at which it counts as unfinished.
SELECT DISTINCT RolloutId
FROM (
    SELECT RolloutId FROM device_updates
    WHERE (IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')})
        OR (Timestamp >= {since:DateTime64(3, 'UTC')} - toIntervalSecond({limit:UInt32}) - toIntervalSecond({margin:UInt32})
            AND Timestamp <= {until:DateTime64(3, 'UTC')} - toIntervalSecond({limit:UInt32}) + toIntervalSecond({margin:UInt32}))
    UNION ALL
    SELECT RolloutId FROM rollout_targets
    WHERE (IngestTime > {since:DateTime64(3, 'UTC')} AND IngestTime <= {until:DateTime64(3, 'UTC')})
        OR (At >= {since:DateTime64(3, 'UTC')} - toIntervalSecond({limit:UInt32}) AND At <= {until:DateTime64(3, 'UTC')} - toIntervalSecond({limit:UInt32}))
)
ORDER BY RolloutId
