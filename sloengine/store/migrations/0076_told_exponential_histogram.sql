-- How many events a point tells of, judged once where it comes in; -1: impossible. Scales that the data model knows, values from 2^-70 to 2^60, counts
-- that can be subtracted: what lies outside of that comes from a broken device, and one such row would fail the whole tick. Whoever reads a point's
-- time needs this too, and would have to open its buckets.
ALTER TABLE otel_metrics_exponential_histogram ADD COLUMN IF NOT EXISTS Told Float64 DEFAULT if(
    Scale BETWEEN -10 AND 20 AND ZeroCount < 9007199254740992
    AND PositiveOffset * exp2(-Scale) >= -70 AND (PositiveOffset + length(PositiveBucketCounts)) * exp2(-Scale) <= 60
    AND NegativeOffset * exp2(-Scale) >= -70 AND (NegativeOffset + length(NegativeBucketCounts)) * exp2(-Scale) <= 60
    AND arrayAll(c -> c < 9007199254740992, PositiveBucketCounts) AND arrayAll(c -> c < 9007199254740992, NegativeBucketCounts),
    toFloat64(ZeroCount) + arraySum(c -> toFloat64(c), PositiveBucketCounts) + arraySum(c -> toFloat64(c), NegativeBucketCounts), -1)
