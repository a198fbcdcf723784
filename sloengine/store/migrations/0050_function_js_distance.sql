-- Jensen-Shannon distance: the square root of the divergence, natural logarithm, so 0 to sqrt(ln 2) = 0.8326. Nothing is added to empty bins.
-- baseline, current: arrays of B counts. NULL where a side is empty; an error where lengths differ. Source: Endres & Schindelin 2003.
CREATE FUNCTION IF NOT EXISTS sloengine_js_distance AS (baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    sqrt(greatest(0., arraySum((_p, _q) -> (if(_p > 0, _p * log(2 * _p / (_p + _q)), 0) + if(_q > 0, _q * log(2 * _q / (_p + _q)), 0)) / 2,
        arrayMap(_b -> _b / arraySum(baseline), baseline), arrayMap(_c -> _c / arraySum(current), current)))), NULL)
