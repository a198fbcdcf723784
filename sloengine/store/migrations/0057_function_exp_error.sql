-- Largest relative error of sloengine_exp_quantile at a scale: 2^(2^-(scale+1)) - 1, as the value lies in the same bucket as the answer. 0.54 % at
-- scale 6.
CREATE FUNCTION IF NOT EXISTS sloengine_exp_error AS (scale) -> exp2(exp2(-(toFloat64(scale) + 1))) - 1
