-- As 0076, of explicit histograms. One without buckets tells of no distribution; one whose parts don't fit together of nothing.
ALTER TABLE otel_metrics_histogram ADD COLUMN IF NOT EXISTS Told Float64 DEFAULT if(
    length(BucketCounts) = length(ExplicitBounds) + 1 AND notEmpty(ExplicitBounds)
    AND arraySort(ExplicitBounds) = ExplicitBounds AND arrayAll(b -> isFinite(b), ExplicitBounds)
    AND arrayAll(c -> c < 9007199254740992, BucketCounts),
    arraySum(c -> toFloat64(c), BucketCounts), -1)
