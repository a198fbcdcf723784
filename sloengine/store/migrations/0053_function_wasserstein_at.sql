-- Wasserstein-1 distance in the unit of the values, all events of a bin taken to be at its position: the sum of |F - G| times the way to the next
-- position. Off by at most half the widest bin on each side when positions are middles.
-- positions: array of B numbers, rising, such as the middles of bins (an open bin needs a place that you choose). baseline, current: arrays of B
-- counts. NULL where a side is empty; an error where lengths differ.
CREATE FUNCTION IF NOT EXISTS sloengine_wasserstein_at AS (positions, baseline, current) -> if(arraySum(baseline) > 0 AND arraySum(current) > 0,
    arraySum((_f, _g, _x, _w) -> abs(_f / arraySum(baseline) - _g / arraySum(current)) * (_w - _x), arrayCumSum(baseline), arrayCumSum(current),
        positions, arrayPushBack(arrayPopFront(positions), positions[-1])), NULL)
