-- Final outcomes per model, version, region and minute (M1), newest revision.
CREATE OR REPLACE VIEW success_by_minute AS
SELECT Minute, ServiceName, ModelName, ModelVersion, Region, RolloutId,
    sumIf(b.Events, JSONExtractString(b.Attributes, 'edge.inference.outcome') = 'success') AS Good,
    sumIf(b.Events, JSONExtractString(b.Attributes, 'edge.inference.outcome') = 'failure') AS Bad,
    sum(b.Events) - Good - Bad AS Unknown,
    Good / nullIf(Good + Bad, 0) AS SuccessRate
FROM count_minutes AS b FINAL
WHERE Measure = 'edge.inference.requests'
GROUP BY Minute, ServiceName, ModelName, ModelVersion, Region, RolloutId
