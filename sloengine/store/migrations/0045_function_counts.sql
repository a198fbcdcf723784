-- Counts per bin, as arrays of counts are what the functions below take: histogram_minutes keeps explicit buckets as a map that leaves empty
-- ones out. Functions belong to the whole server, not to a database, so each has the prefix sloengine_: several databases on one server share
-- them, and what a name means is never changed, a better formula gets a new name. Inner variables begin with an underscore, so that they never
-- capture a column of the caller's.
--
-- buckets: Map(Int32, Float64), bucket i from 0 on. bounds: Array(Float64) of B - 1 bounds. Result: Array(Float64) of B counts, the first
-- everything up to bounds[1], the last everything above the last bound.
CREATE FUNCTION IF NOT EXISTS sloengine_counts AS (buckets, bounds) -> arrayMap(_i -> buckets[toInt32(_i)], range(length(bounds) + 1))
