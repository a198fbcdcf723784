-- The same past for prediction records: real images (`truths`, `strokes`: a character each), what everyone in `who` really makes of them (`digits`,
-- `scores`): the versions, and of what drifts its version since then. A prediction is drawn at each point, a small part of what a device predicts; one
-- in four is kept, by its id, as devices keep them at the same threshold.
INSERT INTO otel_logs (Timestamp, SeverityText, SeverityNumber, ServiceName, ScopeName, ResourceAttributes, LogAttributes, EventName, IngestTime, GatewayTime)
SELECT at, 'INFO', 9, {service:String}, 'sloengine.edge', resource,
    mapConcat(about, map('event.name', 'edge.prediction', 'edge.prediction.id', id, 'edge.sampling.threshold', 'c',
        'edge.inference.score', toString({scores:Array(Array(Float64))}[whose][image]),
        'edge.inference.label', substring({digits:Array(String)}[whose], image, 1), 'edge.segment.stroke', stroke)),
    'edge.prediction', came, heard
FROM (
    SELECT *, concat(device, '-', toString(t)) AS id, 1 + cityHash64(id) % length({truths:String}) AS image,
        if(substring({strokes:String}, image, 1) = 't', 'thin', 'bold') AS stroke,
        indexOf({who:Array(String)}, if(version = {drift_version:String} AND stroke = {drift_stroke:String} AND at >= {drift_from:DateTime('UTC')},
            'drifted', version)) AS whose
    FROM (
-- include seed_points
    )
)
WHERE reinterpretAsUInt8(substring(SHA256(id), 1, 1)) >= 192
