-- The highest number that a version of a monitor's baselines has; 0: there is none.
SELECT max(Version) AS Last FROM drift_baseline_versions WHERE Monitor = {monitor:String}
