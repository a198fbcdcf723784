-- Quantile of explicit buckets, in the values' own unit, even spread inside a bucket taken for granted: off by at most the width of the bucket that
-- holds it. As in Prometheus's histogram_quantile the first bucket begins at 0 (or is answered with its bound where that is not above 0), and of
-- the last, which has no end, the last bound is given: a value there may be anything above.
-- q: 0 to 1. bounds: array of B - 1 rising bounds. counts: array of B counts. NULL where nothing was counted.
CREATE FUNCTION IF NOT EXISTS sloengine_bounds_quantile AS (q, bounds, counts) -> if(arraySum(counts) > 0,
    arrayMap((_at, _rank, _sums) -> multiIf(_at > length(bounds), bounds[-1], _at = 1 AND bounds[1] <= 0, bounds[1],
            if(_at = 1, 0., bounds[_at - 1]) + (bounds[_at] - if(_at = 1, 0., bounds[_at - 1]))
                * (_rank - if(_at = 1, 0., toFloat64(_sums[_at - 1]))) / counts[_at]),
        [arrayFirstIndex((_s, _c) -> _c > 0 AND _s >= q * arraySum(counts), arrayCumSum(counts), counts)],
        [q * arraySum(counts)], [arrayCumSum(counts)])[1], NULL)
