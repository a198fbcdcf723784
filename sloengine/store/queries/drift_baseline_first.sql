-- Where the first baseline of a monitor ends.
SELECT min(End) AS End
FROM drift_baseline_versions FINAL
WHERE Monitor = {monitor:String} AND Kind IN {kinds:Array(String)} AND Name = {called:String} AND Quality != 'refused'
HAVING count() > 0
