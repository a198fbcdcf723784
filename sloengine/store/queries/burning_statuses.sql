-- What was said of some SLOs' slices, the last word of each minute in [lo, hi).
SELECT Slo, ServiceName, Slice, toStartOfMinute(At) AS Minute, argMax(State, slo_status.At) AS State
FROM slo_status
WHERE slo_status.At >= {lo:DateTime('UTC')} AND slo_status.At < {hi:DateTime('UTC')} AND (empty({slos:Array(String)}) OR Slo IN {slos:Array(String)})
    AND (empty({services:Array(String)}) OR ServiceName IN {services:Array(String)})
GROUP BY Slo, ServiceName, Slice, Minute
