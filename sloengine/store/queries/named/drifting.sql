-- What drifted lately: one row for each cause and look, with how many series show it, since when, and why it was said.
-- param: since Duration = 7d  how far back
SELECT At AS looked_until, Monitor AS monitor, Kind AS kind, ModelName AS model, ModelVersions AS versions, Region AS region, DeviceId AS device,
    Segments AS segments, round(Effect, 4) AS effect, Events AS events, Members AS members, Onset AS onset, Reason AS reason, Finding AS alert
FROM drift_findings FINAL
WHERE At >= now() - toIntervalSecond({since:UInt64})
ORDER BY At DESC, monitor, effect DESC
