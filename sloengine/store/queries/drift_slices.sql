-- Hours whose drift index was over a cut for sure, since a moment; hours that were touched just now from their minutes.
SELECT DISTINCT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, At AS Hour, JSONExtractString(Attributes, 'gt') AS Over
FROM (
    SELECT ServiceName, ModelName, ModelVersion, Region, Attributes, Hour AS At
    FROM count_hours FINAL
    WHERE Measure = 'drift.psi' AND Items > 0 AND Hour >= {since:DateTime('UTC')} AND NOT arrayExists(r -> Hour >= r.1 AND Hour < r.2, {runs:Array(Tuple(DateTime('UTC'), DateTime('UTC')))})
    UNION ALL
    SELECT ServiceName, ModelName, ModelVersion, Region, Attributes, toStartOfHour(Minute) AS At
    FROM count_minutes FINAL
    WHERE Measure = 'drift.psi' AND Items > 0 AND Minute >= {since:DateTime('UTC')} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        AND arrayExists(r -> Minute >= r.1 AND Minute < r.2, {runs:Array(Tuple(DateTime('UTC'), DateTime('UTC')))})
)
WHERE Over NOT IN ('', '-inf') AND (empty({services:Array(String)}) OR ServiceName IN {services:Array(String)})
SETTINGS do_not_merge_across_partitions_select_final = 1
