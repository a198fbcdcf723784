-- What the last look before a window left behind.
SELECT SeriesId, Exceeded, Cusum, CusumLooks
FROM drift_verdicts FINAL
WHERE Monitor = {monitor:String} AND WindowHours = {hours:UInt16}
    AND WindowEnd = (SELECT max(WindowEnd) FROM drift_verdicts WHERE Monitor = {monitor:String} AND WindowHours = {hours:UInt16}
        AND WindowEnd < {end:DateTime('UTC')} AND WindowEnd >= {end:DateTime('UTC')} - toIntervalDay(2))
ORDER BY SeriesId
SETTINGS do_not_merge_across_partitions_select_final = 1
