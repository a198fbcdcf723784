-- Since when a metric is known.
SELECT count() AS Found, min(Hour) AS Begin
FROM histogram_hours
WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Items > 0 AND Hour >= {oldest:DateTime('UTC')}
UNION ALL
SELECT count() AS Found, min(Hour) AS Begin
FROM count_hours
WHERE {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Items > 0 AND Hour >= {oldest:DateTime('UTC')}
