-- Histograms of one metric of part of a fleet, of hours [lo, hi), as they were folded: by device, segments and grid.
SELECT Hour, toString(Measure) AS Metric, toString(ServiceName) AS ServiceName, toString(ModelName) AS ModelName, toString(ModelVersion) AS ModelVersion,
    toString(Region) AS Region, toString(DeviceId) AS DeviceId, toString(Attributes) AS Attributes, Scale, Bounds, Zero, First, Counts, NegativeFirst, Negatives
FROM histogram_hours FINAL
-- include export_hours
ORDER BY Hour, DeviceId, ModelVersion, Attributes
SETTINGS do_not_merge_across_partitions_select_final = 1
