-- Events, some gateways, minutes [lo, hi): how many log records of each asked event name, by the asked attributes. The same record delivered
-- twice (device, time, body and attributes all equal) counts once.
-- include insert_counts
WITH
    records AS (
        SELECT Measure, TimeUnix AS At,
-- include asked_columns
            , argMin(p.Moved, p.GatewayId) AS Shift
        FROM (
            SELECT concat('log:', EventName) AS Measure, Timestamp AS TimeUnix, LogAttributes AS Own, *,
-- include asked_folds
            ,
-- include asked_shift
            FROM otel_logs
            WHERE EventName IN {names:Array(String)}
        ) AS p
        WHERE
-- include asked_around
        GROUP BY Measure, At, if(p.DeviceId = '', p.GatewayId, ''), p.DeviceId, cityHash64(p.Body, mapSort(p.Own), p.TraceId, p.SpanId)
    ),
    placed AS (
        SELECT Measure, D, F, Asked, Shift, toStartOfMinute(toDateTime(At + toIntervalMillisecond(Shift), 'UTC')) AS Minute
        FROM records
        WHERE D.5 IN {gateways:Array(String)} AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
    ),
    fresh AS (
        SELECT Measure, D, Minute,
-- include asked_key
            , tuple(toFloat64(count()), toFloat64(count()), count(), toUInt64(0), 0., toFloat64(countIf(Shift != 0))) AS Figures
        FROM placed
        GROUP BY Measure, D, F, Asked, Minute
    ),
-- include settle_counts
