-- Merged buckets of a measure per dimensions and scale over a window, for quantiles.
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, Scale, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets
FROM histogram_minutes FINAL
WHERE Measure = {measure:String} AND empty(Bounds) AND Minute >= {start:DateTime('UTC')} AND Minute <= {end:DateTime('UTC')}
GROUP BY ALL
-- What holds nothing may be coarser than all else, and would make quantiles as coarse.
HAVING Zero > 0 OR notEmpty(Buckets)
SETTINGS do_not_merge_across_partitions_select_final = 1
