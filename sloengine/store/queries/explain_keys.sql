-- Which bucket keys an SLO's slice is summed from, the busiest first.
WITH
-- include explain_counted
SELECT Measure, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId, Attributes,
    round(sum(c.Events), 6) AS events, round(sum(c.Events * c.Good), 6) AS good, round(sum(c.Events * c.Bad), 6) AS bad,
    round(sum(c.Events * c.Unknown) + sum(c.Unweighted), 6) AS unknown, sum(c.Items) AS items, sum(c.Unweighted) AS unweighted,
    round(sum(c.Bridged), 6) AS bridged, round(sum(c.Shifted), 6) AS shifted, maxIf(c.Minute, c.Items + c.Unweighted > 0) AS last
FROM counted AS c
GROUP BY ALL
ORDER BY events DESC, Measure, GatewayId, Attributes
LIMIT {most:UInt32}
