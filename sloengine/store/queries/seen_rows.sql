    -- Values of the asked dimensions and attributes on each raw row of one metric, span or event of one service; other tables are not read.
    SELECT arrayMap(k -> multiIf(
            k = 'service', ServiceName, k = 'model', ModelName, k = 'version', ModelVersion, k = 'region', Region,
            k = 'gateway', GatewayId, k = 'rollout', RolloutId, k = 'wave', Own['edge.rollout.wave'],
            k = 'hardware', ResourceAttributes['edge.hardware'], k = 'device', DeviceId,
            mapContains(Own, k), Own[k], ResourceAttributes[k]), {keys:Array(String)}) AS Found
    FROM (
        SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, Attributes AS Own, ResourceAttributes
        FROM otel_metrics_sum
        WHERE {source:String} = 'sum' AND MetricName = {wanted:String} AND ServiceName = {service:String} AND TimeUnix > now() - toIntervalDay({days:UInt32})
        UNION ALL
        SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, Attributes AS Own, ResourceAttributes
        FROM otel_metrics_gauge
        WHERE {source:String} = 'gauge' AND MetricName = {wanted:String} AND ServiceName = {service:String} AND TimeUnix > now() - toIntervalDay({days:UInt32})
        UNION ALL
        SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, Attributes AS Own, ResourceAttributes
        FROM otel_metrics_histogram
        WHERE {source:String} = 'histogram' AND MetricName = {wanted:String} AND ServiceName = {service:String} AND TimeUnix > now() - toIntervalDay({days:UInt32})
        UNION ALL
        SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, Attributes AS Own, ResourceAttributes
        FROM otel_metrics_exponential_histogram
        WHERE {source:String} = 'histogram' AND MetricName = {wanted:String} AND ServiceName = {service:String} AND TimeUnix > now() - toIntervalDay({days:UInt32})
        UNION ALL
        SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, SpanAttributes AS Own, ResourceAttributes
        FROM otel_traces
        WHERE {source:String} = 'span' AND SpanName = {wanted:String} AND ServiceName = {service:String} AND Timestamp > now() - toIntervalDay({days:UInt32})
        UNION ALL
        SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, DeviceId, LogAttributes AS Own, ResourceAttributes
        FROM otel_logs
        WHERE {source:String} = 'log' AND EventName = {wanted:String} AND ServiceName = {service:String} AND Timestamp > now() - toIntervalDay({days:UInt32})
    )
