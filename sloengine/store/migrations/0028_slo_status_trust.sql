-- How well a figure is known, beside it: interval and effective sample size, what was estimated, bridged, moved and excluded. Sampled
-- events count with their weights, so counts need not be whole.
ALTER TABLE slo_status
    MODIFY COLUMN Good Float64,
    MODIFY COLUMN Bad Float64,
    MODIFY COLUMN Unknown Float64,
    ADD COLUMN IF NOT EXISTS Low Nullable(Float64) AFTER Sli,
    ADD COLUMN IF NOT EXISTS High Nullable(Float64) AFTER Low,
    ADD COLUMN IF NOT EXISTS Effective Nullable(Float64),
    ADD COLUMN IF NOT EXISTS Sampled Bool,
    ADD COLUMN IF NOT EXISTS Bridged Float64,
    ADD COLUMN IF NOT EXISTS Shifted Float64,
    ADD COLUMN IF NOT EXISTS ExcludedGood Float64,
    ADD COLUMN IF NOT EXISTS ExcludedBad Float64,
    ADD COLUMN IF NOT EXISTS BudgetAllowed Nullable(Float64),
    ADD COLUMN IF NOT EXISTS BudgetLeftSeconds Nullable(Float64),
    ADD COLUMN IF NOT EXISTS ExhaustsInSeconds Nullable(Float64),
    ADD COLUMN IF NOT EXISTS WindowStart Nullable(DateTime('UTC')),
    ADD COLUMN IF NOT EXISTS WindowEnd Nullable(DateTime('UTC')),
    ADD COLUMN IF NOT EXISTS Folded UInt32
