-- Whose the numbers of drift are: one row for each series that a drift monitor has looked at. Verdicts hold the id alone, for a fleet has a hundred
-- thousand of them every hour.
CREATE TABLE IF NOT EXISTS drift_series (
    Monitor LowCardinality(String),
    SeriesId UInt64,
    -- model, version, region, device or segment.
    Level LowCardinality(String),
    ServiceName LowCardinality(String),
    ModelName LowCardinality(String),
    ModelVersion LowCardinality(String),
    Region LowCardinality(String),
    DeviceId String,
    -- Attribute and its value, of segments only.
    Segment LowCardinality(String),
    Value String
) ENGINE = ReplacingMergeTree
ORDER BY (Monitor, SeriesId)
