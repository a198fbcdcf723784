-- Segments of a monitor by name.
SELECT SeriesId, Segment, Value
FROM drift_series FINAL
WHERE Monitor = {monitor:String} AND Level = 'segment' AND (empty({models:Array(String)}) OR ModelName IN {models:Array(String)})
ORDER BY SeriesId
