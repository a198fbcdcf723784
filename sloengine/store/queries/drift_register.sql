-- Names of series that hours [lo, hi) hold and that are not known yet; versions may stand for others (drift_leaves.sql).
INSERT INTO drift_series (Monitor, SeriesId, Level, ServiceName, ModelName, ModelVersion, Region, DeviceId, Segment, Value)
SELECT DISTINCT {monitor:String}, Named.1 AS Id, Named.2, {service:String}, ModelName, Named.3, Named.4, Named.5, Named.6, Named.7
FROM (
    SELECT ModelName, transform(concat(ModelName, '\n', ModelVersion), {versions:Array(String)}, {stand_for:Array(String)}, ModelVersion) AS V, Region, DeviceId,
-- include drift_ids
            , arrayJoin(arrayConcat([(Model, 'model', '', '', '', '', ''), (Version, 'version', V, '', '', '', ''), (Place, 'region', V, Region, '', '', ''),
                (Device, 'device', V, Region, DeviceId, '', '')],
                arrayMap((id, s) -> (id, 'segment', V, '', '', s, JSONExtractString(Attributes, s)), Segments, {segments:Array(String)}))) AS Named
    FROM (
        SELECT DISTINCT ModelName, ModelVersion, Region, DeviceId, Attributes FROM histogram_hours
        WHERE Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
        UNION DISTINCT
        SELECT DISTINCT ModelName, ModelVersion, Region, DeviceId, Attributes FROM count_hours
        WHERE {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {lo:DateTime('UTC')} AND Hour < {hi:DateTime('UTC')}
    )
    WHERE empty({versions:Array(String)}) OR concat(ModelName, '\n', ModelVersion) IN {versions:Array(String)}
)
WHERE (Named.2 = 'segment' OR has({levels:Array(String)}, Named.2)) AND Id NOT IN (SELECT SeriesId FROM drift_series WHERE Monitor = {monitor:String})
