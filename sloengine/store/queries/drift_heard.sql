-- Devices' series that looks of the last day heard of, those of the window that ends at `end` left out: who is expected in it.
SELECT DISTINCT SeriesId
FROM drift_verdicts
WHERE Monitor = {monitor:String} AND WindowHours = {hours:UInt16} AND WindowEnd < {end:DateTime('UTC')} AND WindowEnd >= {end:DateTime('UTC')} - toIntervalDay(1)
    AND N > 0 AND SeriesId IN (SELECT SeriesId FROM drift_series WHERE Monitor = {monitor:String} AND Level = 'device')
ORDER BY SeriesId
