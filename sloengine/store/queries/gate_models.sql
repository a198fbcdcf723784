-- Models that answered requests in a span of time.
SELECT DISTINCT ModelName AS model FROM count_minutes
WHERE Measure = 'edge.inference.requests' AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')} AND Items > 0
ORDER BY model
