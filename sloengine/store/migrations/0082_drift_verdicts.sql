-- What each look said of each series: numbers only (drift_series says whose). Rewritten where late telemetry changed what was seen then.
CREATE TABLE IF NOT EXISTS drift_verdicts (
    Monitor LowCardinality(String),
    WindowEnd DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    WindowHours UInt16,
    SeriesId UInt64,
    Verdict Enum8('drift' = 1, 'suspected' = 2, 'slow_drift' = 3, 'no_drift' = 4, 'not_enough_data' = 5, 'stale' = 6, 'no_baseline' = 7,
        'refused' = 8, 'implausible' = 9),
    -- Events now and in the baseline; share of now's events that no pinned bin holds.
    N Float64 CODEC(ZSTD(1)),
    M Float64 CODEC(ZSTD(1)),
    Unplaced Float32 CODEC(ZSTD(1)),
    -- Bins full enough to tell anything.
    Bins UInt16,
    -- NaN: does not apply.
    Psi Float64 CODEC(ZSTD(1)),
    Ks Float64 CODEC(ZSTD(1)),
    Js Float64 CODEC(ZSTD(1)),
    Wasserstein Float64 CODEC(ZSTD(1)),
    Hellinger Float64 CODEC(ZSTD(1)),
    Chi2 Float64 CODEC(ZSTD(1)),
    KsError Float64 CODEC(ZSTD(1)),
    -- The monitor's index without what chance adds.
    Effect Float64 CODEC(ZSTD(1)),
    P Float64 CODEC(ZSTD(1)),
    Q Float64 CODEC(ZSTD(1)),
    Inflation Float64 CODEC(ZSTD(1)),
    -- PSI that so many events would have shown, alone among all series of the look.
    SmallestPsi Float64 CODEC(ZSTD(1)),
    -- Shares beyond the outermost bounds.
    Below Float32 CODEC(ZSTD(1)),
    Above Float32 CODEC(ZSTD(1)),
    -- Bit i: exceeded i looks ago; cumulative sum, and for how many looks it has been above zero.
    Exceeded UInt8,
    Cusum Float64 CODEC(ZSTD(1)),
    CusumLooks UInt32,
    BaselineVersion UInt32,
    Revision UInt64 CODEC(DoubleDelta, ZSTD(1))
) ENGINE = ReplacingMergeTree(Revision)
PARTITION BY toDate(WindowEnd)
ORDER BY (Monitor, WindowEnd, WindowHours, SeriesId)
TTL WindowEnd + toIntervalDay(400)
SETTINGS ttl_only_drop_parts = 1
