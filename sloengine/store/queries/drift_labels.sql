-- Classes that were counted in hours [lo, hi), the most frequent first.
SELECT JSONExtractString(Attributes, {class:String}) AS Label, sum(Events) AS Total, uniq(DeviceId) AS Devices
FROM count_hours FINAL
WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
GROUP BY Label
ORDER BY Total DESC, Label
LIMIT {most:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1
