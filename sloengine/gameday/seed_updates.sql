-- The rollout before: three weeks ago every device got its version within a few hours, one of them at the second attempt.
INSERT INTO otel_logs (Timestamp, SeverityText, SeverityNumber, ServiceName, ScopeName, ResourceAttributes, LogAttributes, EventName, IngestTime, GatewayTime)
SELECT moment, 'INFO', 9, {service:String}, 'sloengine.edge', resource,
    map('event.name', 'edge.update', 'edge.model.name', {model:String}, 'edge.model.version', '1', 'edge.rollout.id', {past_rollout:String},
        'edge.rollout.wave', '1', 'edge.update.status', step.1),
    'edge.update', moment + toIntervalSecond(3), moment + toIntervalSecond(1)
FROM (
    SELECT *, arrayJoin(if(number = 1, [('started', 0), ('failed', 90), ('started', 1800), ('succeeded', 1860)], [('started', 0), ('succeeded', 60)])) AS step,
        toDateTime64({end:DateTime('UTC')}, 3, 'UTC') - toIntervalDay(21) + toIntervalSecond(600 * number + step.2) AS moment
    FROM (
-- include seed_devices
    )
)
