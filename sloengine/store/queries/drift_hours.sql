-- Score histograms by (service, model, version, region), bounds and hour in [lo, hi), each with its baseline: what the same had over the same bounds
-- in the seven days before it, but not in the last six hours, so that a drift is not its own baseline.
WITH hourly AS (
    SELECT ServiceName, ModelName, ModelVersion, Region, Bounds, toInt64(toUnixTimestamp(toStartOfHour(Minute))) AS At,
        sumForEach(arrayMap(i -> greatest(0., Buckets[toInt32(i)]), range(toUInt32(length(Bounds) + 1)))) AS Counts
    FROM histogram_minutes FINAL
    WHERE Measure = 'edge.inference.score' AND notEmpty(Bounds) AND Items > 0
        AND Minute >= {lo:DateTime('UTC')} - toIntervalDay(7) AND Minute < {hi:DateTime('UTC')}
    GROUP BY ServiceName, ModelName, ModelVersion, Region, Bounds, At
)
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, toDateTime(At, 'UTC') AS Hour, Counts, Reference, Hours
FROM (
    SELECT *, sumForEach(Counts) OVER before AS Reference, count() OVER before AS Hours
    FROM hourly
    WINDOW before AS (PARTITION BY ServiceName, ModelName, ModelVersion, Region, Bounds ORDER BY At
        RANGE BETWEEN 604800 PRECEDING AND 25200 PRECEDING)
)
WHERE At >= toUnixTimestamp({lo:DateTime('UTC')})
SETTINGS do_not_merge_across_partitions_select_final = 1
