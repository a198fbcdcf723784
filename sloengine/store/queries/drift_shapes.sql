-- What buckets a measure was counted in, in hours [lo, hi): for each grid how far its buckets reach, of about how many devices and
-- segments, and how many events.
SELECT Scale, Bounds, countIf(notEmpty(Counts)) AS Positives, minIf(First, notEmpty(Counts)) AS Low, maxIf(First + length(Counts) - 1, notEmpty(Counts)) AS High,
    countIf(notEmpty(Negatives)) AS Negative, minIf(NegativeFirst, notEmpty(Negatives)) AS Near, maxIf(NegativeFirst + length(Negatives) - 1, notEmpty(Negatives)) AS Far,
    sum(Zero + arraySum(Counts) + arraySum(Negatives)) AS Events, uniq(DeviceId, Attributes) AS Held
FROM histogram_hours FINAL
WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')} AND Items > 0
GROUP BY Scale, Bounds
ORDER BY Events DESC, Scale, Bounds
SETTINGS do_not_merge_across_partitions_select_final = 1
