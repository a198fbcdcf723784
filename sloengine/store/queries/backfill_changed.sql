-- How many bucket rows one run of backfill wrote.
SELECT count() AS Changed
FROM count_minutes
WHERE Revision = {revision:UInt64} AND Cause = 'backfill' AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')}
