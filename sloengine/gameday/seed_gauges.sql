-- The same past for the use of each node: it follows the day's load, and in 3 of 1,000 points something else wanted the CPU too.
INSERT INTO otel_metrics_gauge (ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, TimeUnix, Value, IngestTime, GatewayTime)
SELECT resource, 'sloengine.edge', {service:String}, gauge.1, '1', gauge.3, at, gauge.2, came, heard
FROM (
    SELECT *, 0.05 * sin(2 * pi() * t / 86400) AS load, (cityHash64(at, device) % 1000) / 1000 AS chance,
        arrayJoin([
            ('system.cpu.utilization', if(chance < 0.003, 0.92, 0.35 + load + 0.1 * chance), map()),
            ('system.memory.utilization', 0.52 + 0.06 * (cityHash64(device) % 100) / 100, map()),
            ('hw.gpu.utilization', 0.3 + load + 0.1 * chance, map()),
            ('edge.power.state', 1., map('edge.power.state', 'normal'))
        ]) AS gauge
    FROM (
-- include seed_points
    )
)
