-- Each finding of a monitor as its newest look told it, and since when its series have been away from normal without a break: where the first window
-- of these begins, and where the first one ends in which it was said.
WITH away AS (
    SELECT Level, ModelName, ModelVersion, Region, DeviceId, Segment, Value, min(WindowEnd - toIntervalHour(WindowHours)) AS Began,
        minIf(WindowEnd, Verdict IN ('drift', 'slow_drift')) AS Said
    FROM (
        SELECT *, maxIf(WindowEnd, Verdict NOT IN ('drift', 'suspected', 'slow_drift')) OVER (PARTITION BY SeriesId) AS Calm
        FROM drift_by_series
        WHERE Monitor = {monitor:String}
    )
    WHERE WindowEnd > Calm
    GROUP BY ALL
)
SELECT Finding AS finding, any(f.Effect) AS effect, any(f.Events) AS events, any(f.At) AS until, min(Began) AS began, min(Said) AS said
FROM (SELECT * FROM drift_findings FINAL WHERE Monitor = {monitor:String} ORDER BY At DESC LIMIT 1 BY Finding) AS f
INNER JOIN away ON away.ModelName = f.ModelName AND away.Level = if(empty(f.Segments), f.Kind, 'segment')
WHERE (empty(f.ModelVersions) OR has(f.ModelVersions, away.ModelVersion)) AND away.Region = f.Region AND away.DeviceId = f.DeviceId
    AND (empty(f.Segments) OR f.Segments[away.Segment] = away.Value)
GROUP BY Finding
ORDER BY effect DESC
