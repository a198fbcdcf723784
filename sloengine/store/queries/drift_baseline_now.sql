-- The version of a baseline that a look at hours that begin at `before` is held against: the newest that ended by then, else the oldest there is.
SELECT *
FROM drift_baseline_versions FINAL
WHERE Monitor = {monitor:String} AND Kind IN {kinds:Array(String)} AND Name = {called:String} AND Quality != 'refused'
ORDER BY End <= {before:DateTime('UTC')} DESC, if(End <= {before:DateTime('UTC')}, -toInt64(toUnixTimestamp(End)), toInt64(toUnixTimestamp(End))), Version DESC
LIMIT 1
