-- Nodes by error ratio, the worst first, from each device's own counters. A counter that was restarted counts from nothing again.
-- param: since Duration = 1h  how far back
-- param: model Text =  only this model
-- param: least Integer = 20  requests that a node must have answered to be listed
-- param: top Integer = 20  how many nodes
WITH
    series AS (
        SELECT DeviceId, GatewayId, Region, ModelName, ModelVersion, Attributes['edge.inference.outcome'] AS outcome, SeriesId, StartTimeUnix,
            if(any(AggregationTemporality) = 1, sum(Value), max(Value) - if(StartTimeUnix >= now() - toIntervalSecond({since:UInt64}), 0, min(Value))) AS events
        FROM (SELECT DISTINCT DeviceId, GatewayId, Region, ModelName, ModelVersion, Attributes, SeriesId, StartTimeUnix, TimeUnix, Value, AggregationTemporality
            FROM otel_metrics_sum
            WHERE MetricName = 'edge.inference.requests' AND TimeUnix >= now() - toIntervalSecond({since:UInt64})
                AND ({model:String} = '' OR ModelName = {model:String}))
        GROUP BY DeviceId, GatewayId, Region, ModelName, ModelVersion, outcome, SeriesId, StartTimeUnix
    )
SELECT DeviceId AS device, GatewayId AS gateway, Region AS region, ModelName AS model, ModelVersion AS version,
    sumIf(events, outcome = 'failure') AS bad, sumIf(events, outcome IN ('success', 'failure')) AS requests, bad / nullIf(requests, 0) AS error_ratio
FROM series
GROUP BY device, gateway, region, model, version
HAVING requests >= {least:Int64} AND requests > 0
ORDER BY error_ratio DESC, requests DESC, device
LIMIT {top:UInt64}
