-- Every version of a monitor's baselines, the newest first.
SELECT Version, Name, Kind, Begin, End, Series, Events, Quality, Doubts, Author, Reason, Checksum
FROM drift_baseline_versions FINAL
WHERE Monitor = {monitor:String}
ORDER BY At DESC
