-- How much windows vary over bins that are joined until a window fills them, as looks join them. Of baselines from before this was known, what is
-- known of all bins.
ALTER TABLE drift_baselines ADD COLUMN IF NOT EXISTS Joined Float64 DEFAULT Inflation AFTER Inflation
