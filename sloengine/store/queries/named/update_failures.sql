-- How updates of devices go, per rollout and wave: a device counts once, by the last that was heard of it.
-- param: since Duration = 30d  how far back
SELECT RolloutId AS rollout, Wave AS wave, ModelName AS model, ModelVersion AS version, count() AS devices,
    countIf(Status = 'succeeded') AS succeeded, countIf(Status = 'failed') AS failed, countIf(Status = 'started') AS under_way,
    succeeded / nullIf(devices, 0) AS done, topKIf(3)(ErrorType, Status = 'failed') AS errors
FROM (
    SELECT RolloutId, DeviceId, argMax(u.Wave, u.Timestamp) AS Wave, argMax(u.ModelName, u.Timestamp) AS ModelName, argMax(u.ModelVersion, u.Timestamp) AS ModelVersion,
        argMax(u.Status, u.Timestamp) AS Status, argMax(u.ErrorType, u.Timestamp) AS ErrorType
    FROM device_updates AS u
    WHERE u.Timestamp >= now() - toIntervalSecond({since:UInt64})
    GROUP BY RolloutId, DeviceId
)
GROUP BY rollout, wave, model, version
ORDER BY rollout, wave
