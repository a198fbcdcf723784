-- What was declared of some rollouts, the newest word on each device.
SELECT RolloutId, DeviceId, ServiceName, At, Wave, ModelName, ModelVersion, Withdrawn
FROM rollout_targets FINAL
WHERE RolloutId IN {rollouts:Array(String)}
