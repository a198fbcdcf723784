-- The same past for prediction records: real images (`truths`, `strokes`: a character each), what each version really makes of them (`digits_1`,
-- `scores_1`, …). A prediction is drawn at each point, a small part of what a device predicts; one in four is kept, by its id, as devices keep them
-- at the same threshold.
INSERT INTO otel_logs (Timestamp, SeverityText, SeverityNumber, ServiceName, ScopeName, ResourceAttributes, LogAttributes, EventName, IngestTime, GatewayTime)
SELECT at, 'INFO', 9, {service:String}, 'sloengine.edge', resource,
    mapConcat(about, map('event.name', 'edge.prediction', 'edge.prediction.id', id, 'edge.sampling.threshold', 'c',
        'edge.inference.score', toString(if(version = '1', {scores_1:Array(Float64)}, {scores_2:Array(Float64)})[image]),
        'edge.inference.label', substring(if(version = '1', {digits_1:String}, {digits_2:String}), image, 1),
        'edge.segment.stroke', if(substring({strokes:String}, image, 1) = 't', 'thin', 'bold'))),
    'edge.prediction', came, heard
FROM (
    SELECT *, concat(device, '-', toString(t)) AS id, 1 + cityHash64(id) % length({truths:String}) AS image
    FROM (
-- include seed_points
    )
)
WHERE reinterpretAsUInt8(substring(SHA256(id), 1, 1)) >= 192
