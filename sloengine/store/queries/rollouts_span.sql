-- The hours of a rollout's update events and declarations, first and last: where its devices are counted, or were before something earlier came.
SELECT min(T) AS First, max(T) AS Last, arraySort(groupUniqArray(toStartOfHour(T))) AS Hours
FROM (
    SELECT toDateTime(Timestamp, 'UTC') AS T FROM device_updates WHERE RolloutId = {rollout:String}
    UNION ALL
    SELECT toDateTime(At, 'UTC') FROM rollout_targets WHERE RolloutId = {rollout:String}
)
