-- Versions of a model in a span of time: when each was first and last heard of, and how much it answered.
SELECT ServiceName AS service, ModelVersion AS version, min(Minute) AS first, max(Minute) AS last, sum(m.Events) AS events
FROM count_minutes AS m FINAL
WHERE Measure = 'edge.inference.requests' AND ModelName = {model:String} AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')} AND m.Items > 0
GROUP BY service, version
ORDER BY service, first, version
