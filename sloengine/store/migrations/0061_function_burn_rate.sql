-- How fast an error budget is spent: (bad / total) / (1 - target). 1 spends it exactly in its window; it can't exceed 1 / (1 - target).
-- bad, total: events. target: ratio in [0, 1). NULL without events, and for a target of 1, which has no budget.
-- Source: Google, The Site Reliability Workbook, chapter 5.
CREATE FUNCTION IF NOT EXISTS sloengine_burn_rate AS (bad, total, target) -> bad / nullIf(total, 0) / nullIf(1 - target, 0)
