-- Every expected node: when its gateway last heard it, how old that is, and how far its clock is off.
CREATE VIEW IF NOT EXISTS nodes_now AS
SELECT i.DeviceId AS DeviceId, i.GatewayId AS GatewayId, i.Region AS Region, i.ServiceName AS ServiceName,
    if(n.Heard = 0, NULL, n.LastReceived) AS LastReceived,
    if(n.Heard = 0, NULL, dateDiff('millisecond', n.LastReceived, now64(3)) / 1000) AS AgeSeconds,
    if(n.Heard = 0, NULL, n.ClockLag) AS ClockLagSeconds
FROM (SELECT DeviceId, GatewayId, Region, ServiceName FROM inventory FINAL WHERE Present) AS i
LEFT JOIN (
    SELECT DeviceId, ServiceName, max(m.LastReceived) AS LastReceived, argMax(m.LagMin, m.LastReceived) AS ClockLag, 1 AS Heard
    FROM node_minutes AS m GROUP BY DeviceId, ServiceName
) AS n USING (DeviceId, ServiceName)
