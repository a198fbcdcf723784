-- Share of the error budget that is left: 1 - bad / (total * (1 - target)); 1 untouched, 0 spent, below 0 overspent.
-- bad, total: events of the whole window of the objective. target: ratio in [0, 1). NULL without events, and for a target of 1.
CREATE FUNCTION IF NOT EXISTS sloengine_budget_remaining AS (bad, total, target) -> 1 - bad / nullIf(total, 0) / nullIf(1 - target, 0)
