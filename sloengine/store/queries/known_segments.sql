-- Segments that predictions of a span of time declare.
SELECT DISTINCT arrayJoin(arrayMap(key -> replaceOne(key, 'edge.segment.', ''), mapKeys(Segments))) AS name
FROM predictions
WHERE Timestamp >= now() - toIntervalSecond({since:UInt64})
ORDER BY name
LIMIT 1000
