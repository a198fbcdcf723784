-- When each version of each model was first heard of, in the order in which they came.
SELECT ModelName, ModelVersion, min(Hour) AS First
FROM (
    SELECT ModelName, ModelVersion, Hour FROM histogram_hours
    WHERE NOT {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Items > 0 AND Hour >= {oldest:DateTime('UTC')}
    UNION ALL
    SELECT ModelName, ModelVersion, Hour FROM count_hours
    WHERE {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Items > 0 AND Hour >= {oldest:DateTime('UTC')}
)
GROUP BY ModelName, ModelVersion
ORDER BY ModelName, First, ModelVersion
