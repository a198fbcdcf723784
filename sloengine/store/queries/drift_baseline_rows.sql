-- A version of a baseline, all of it or a block, in the width that its bins give.
SELECT SeriesId, Windows, Events, Inflation, Joined, Freedom, Lasting, Counts
FROM drift_baselines
WHERE Monitor = {monitor:String} AND Version = {version:UInt32} AND SeriesId % {blocks:UInt32} = {block:UInt32}
    AND (empty({ids:Array(UInt64)}) OR SeriesId IN {ids:Array(UInt64)})
ORDER BY SeriesId
