-- Final outcomes per model, version, region and minute (M1), newest revision.
CREATE VIEW IF NOT EXISTS success_by_minute AS
SELECT Minute, ServiceName, ModelName, ModelVersion, Region, RolloutId,
    sum(b.Good) AS Good, sum(b.Bad) AS Bad, sum(b.Unknown) AS Unknown,
    sum(b.Good) / nullIf(sum(b.Good) + sum(b.Bad), 0) AS SuccessRate
FROM sli_minutes AS b FINAL
WHERE Indicator = 'M1'
GROUP BY Minute, ServiceName, ModelName, ModelVersion, Region, RolloutId
