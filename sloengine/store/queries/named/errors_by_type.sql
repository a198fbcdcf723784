-- What fails, by error type and model version, from the devices' own counters.
-- param: since Duration = 1d  how far back
-- param: model Text =  only this model
SELECT model, version, error_type, sum(events) AS failures, uniqExact(DeviceId) AS devices
FROM (
    SELECT ModelName AS model, ModelVersion AS version, Attributes['error.type'] AS error_type, DeviceId, SeriesId, StartTimeUnix,
        max(Value) - if(StartTimeUnix >= now() - toIntervalSecond({since:UInt64}), 0, min(Value)) AS events
    FROM otel_metrics_sum
    WHERE MetricName = 'edge.inference.requests' AND Attributes['edge.inference.outcome'] = 'failure' AND AggregationTemporality = 2
        AND TimeUnix >= now() - toIntervalSecond({since:UInt64}) AND ({model:String} = '' OR ModelName = {model:String})
    GROUP BY model, version, error_type, DeviceId, SeriesId, StartTimeUnix
)
GROUP BY model, version, error_type
HAVING failures > 0
ORDER BY failures DESC, model, version, error_type
