-- PSI to expect of two samples of one distribution: (B - 1) * (1/n + 1/m), as PSI / (1/n + 1/m) is then about chi-squared with B - 1 degrees of
-- freedom. A PSI near this says nothing, whatever rules of thumb (0.1, 0.25) say. Counts of independent events: for weighted ones it is too low.
-- baseline, current: arrays of B counts. NULL where a side is empty. Source: Yurdakul 2018, Statistical Properties of the Population
-- Stability Index.
CREATE FUNCTION IF NOT EXISTS sloengine_psi_noise AS (baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    (length(baseline) - 1) * (1 / arraySum(baseline) + 1 / arraySum(current)), NULL)
