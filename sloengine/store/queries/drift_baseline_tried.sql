-- Where the last baseline of a monitor ends, refused ones among them.
SELECT count() AS Found, max(End) AS Last
FROM drift_baseline_versions FINAL
WHERE Monitor = {monitor:String} AND Kind = {kind:String}
