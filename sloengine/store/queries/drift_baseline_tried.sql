-- Where the last good baseline of a monitor ends, and when one was last refused since.
SELECT countIf(Quality != 'refused') AS Found, maxIf(End, Quality != 'refused') AS Last, argMax(Quality, At) = 'refused' AS Refused, max(At) AS Tried
FROM drift_baseline_versions FINAL
WHERE Monitor = {monitor:String} AND Kind = {kind:String}
