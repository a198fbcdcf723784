-- Every write to count_minutes that changes an old minute is a restatement. The first count of a minute that had passed unseen is one as
-- well (late data); counting the raw tables for the first time is not.
CREATE MATERIALIZED VIEW IF NOT EXISTS restated TO restatements AS
SELECT fromUnixTimestamp64Milli(toInt64(Revision), 'UTC') AS At, Cause, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId,
    Attributes, toStartOfHour(Minute) AS Hour, count() AS Minutes, sum(c.Before) AS Before, sum(c.Events) AS After
FROM count_minutes AS c
WHERE c.Events != c.Before AND intDiv(Revision, 1000) > toUnixTimestamp(Minute) + 600 AND NOT (Cause = 'backfill' AND c.Before = 0)
GROUP BY At, Cause, Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Attributes, Hour
