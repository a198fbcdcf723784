-- Devices whose clocks are, or were, off by a known amount: what they sent while it was so is counted at its true time. As episodes, so
-- that a recomputation of old minutes does what was done then.
CREATE TABLE IF NOT EXISTS clock_offsets (
    DeviceId String,
    -- Times of receipt by the gateway, from and until; the year 2100 while it lasts.
    Since DateTime64(3, 'UTC'),
    Until DateTime64(3, 'UTC'),
    -- Milliseconds to add to the device's times.
    OffsetMs Int64,
    -- 'clock': the device told its clock at sending; 'lag': judged by how late its newest data always is.
    Evidence LowCardinality(String),
    Revision UInt64
) ENGINE = ReplacingMergeTree(Revision)
ORDER BY (DeviceId, Since)
TTL toDateTime(Until) + toIntervalDay(400)
