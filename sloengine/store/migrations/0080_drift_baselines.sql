-- Baselines: what is normal for each series, in bins that are pinned here. A version is never rewritten; drift_baseline_versions says who made it
-- of what and why. Kept without an end: evidence outlives telemetry.
CREATE TABLE IF NOT EXISTS drift_baselines (
    Monitor LowCardinality(String),
    Version UInt32,
    SeriesId UInt64,
    -- Windows that hold anything, and events in them.
    Windows UInt32,
    Events Float64,
    -- Of the pinned bins; their edges or labels are those of the version.
    Counts Array(Float64) CODEC(LZ4),
    -- Variance of the windows' counts over what chance would make it, at least 1, and the degrees of freedom behind it.
    Inflation Float64,
    Freedom Float64,
    -- PSI between its own first and second half of windows without what chance adds, and p of it.
    Unrest Float64,
    UnrestP Float64,
    -- How many windows what varies lasts, 1 to 24; NaN of fewer than seven windows.
    Lasting Float64
) ENGINE = MergeTree
PARTITION BY tuple()
ORDER BY (Monitor, Version, SeriesId)
