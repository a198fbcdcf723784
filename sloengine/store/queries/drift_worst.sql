-- The series that is farthest from its baseline in the newest look: one that drifts before any other.
SELECT Level, ModelName, ModelVersion, Region, DeviceId, Segment, Value
FROM drift_by_series
WHERE Monitor = {monitor:String} AND isFinite(Effect)
    AND WindowEnd = (SELECT max(WindowEnd) FROM drift_verdicts WHERE Monitor = {monitor:String} AND WindowEnd <= {end:DateTime('UTC')})
ORDER BY Verdict IN ('drift', 'suspected', 'slow_drift') DESC, N * Effect * Effect DESC
LIMIT 1
