-- What looks said of windows that ended before something was planted, and of those since: how many there were, of how many series, and in how many
-- verdicts and of which series they said drift. A series that is only suspected is told to nobody, and by chance some are.
SELECT WindowEnd <= {planted:DateTime('UTC')} AS before, uniqExact(WindowEnd) AS looks, uniqExact(SeriesId) AS series, count() AS verdicts,
    countIf(Drifts) AS found,
    arraySort(groupUniqArrayIf(arrayStringConcat(arrayFilter(name -> name != '', [Level, ModelName, ModelVersion, Region, DeviceId, Value]), ' '), Drifts)) AS whose
FROM (SELECT *, Verdict IN ('drift', 'slow_drift') AS Drifts FROM drift_by_series WHERE Monitor = {monitor:String})
GROUP BY before
