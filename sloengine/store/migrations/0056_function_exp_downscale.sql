-- Exponential buckets at a coarser scale: index >> by, exactly (floor, also below 1). Histograms merge at the coarsest scale among them:
-- sumMap(sloengine_exp_downscale(Buckets, Scale - coarsest)).
-- buckets: Map(Int32, Float64), bucket i of scale s holds (2^(i*2^-s), 2^((i+1)*2^-s)]. by: whole number, 0 or more. Result: such a map.
-- Source: OpenTelemetry metrics data model, exponential histogram.
CREATE FUNCTION IF NOT EXISTS sloengine_exp_downscale AS (buckets, by) -> mapFromArrays(
    arraySort(arrayDistinct(arrayMap(_k -> toInt32(floor(_k / exp2(by))), mapKeys(buckets)))),
    arrayMap(_k -> arraySum(arrayMap((_i, _v) -> if(toInt32(floor(_i / exp2(by))) = _k, _v, 0.), mapKeys(buckets), mapValues(buckets))),
        arraySort(arrayDistinct(arrayMap(_k -> toInt32(floor(_k / exp2(by))), mapKeys(buckets))))))
