-- Which bucket keys an SLO's slice is summed from, the busiest first; beside each what all of them hold together, so that what is not listed is known.
WITH
-- include explain_counted
SELECT *, count() OVER () AS keys, sum(events) OVER () AS all_events, sum(good) OVER () AS all_good, sum(bad) OVER () AS all_bad,
    sum(unknown) OVER () AS all_unknown
FROM (
    SELECT Measure, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
        round(sum(c.Events), 6) AS events, round(sum(c.Events * c.Good), 6) AS good, round(sum(c.Events * c.Bad), 6) AS bad,
        round(sum(c.Events * c.Unknown) + sum(c.Unweighted), 6) AS unknown, sum(c.Items) AS items, sum(c.Unweighted) AS unweighted,
        round(sum(c.Bridged), 6) AS bridged, round(sum(c.Shifted), 6) AS shifted, maxIf(c.Minute, c.Items + c.Unweighted > 0) AS last
    FROM counted AS c
    GROUP BY ALL
)
ORDER BY events DESC, Measure, GatewayId, Attributes
LIMIT {most:UInt32}
