-- When each version of each model was first seen to answer requests, to the hour. Hours that were touched just now are not refolded yet: those come
-- from their minutes.
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, min(At) AS First
FROM (
    SELECT ServiceName, ModelName, ModelVersion, Hour AS At
    FROM count_hours FINAL
    WHERE Measure = 'edge.inference.requests' AND Events > 0 AND ModelVersion != '' AND (empty({services:Array(String)}) OR ServiceName IN {services:Array(String)})
        AND NOT arrayExists(r -> Hour >= r.1 AND Hour < r.2, {runs:Array(Tuple(DateTime('UTC'), DateTime('UTC')))})
    UNION ALL
    SELECT ServiceName, ModelName, ModelVersion, toStartOfHour(Minute) AS At
    FROM count_minutes FINAL
    WHERE Measure = 'edge.inference.requests' AND Events > 0 AND ModelVersion != '' AND (empty({services:Array(String)}) OR ServiceName IN {services:Array(String)})
        AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        AND arrayExists(r -> Minute >= r.1 AND Minute < r.2, {runs:Array(Tuple(DateTime('UTC'), DateTime('UTC')))})
)
GROUP BY service, model, version
SETTINGS do_not_merge_across_partitions_select_final = 1
