-- M4, minutes [lo, hi): one slice per expected node and minute; heard if its gateway heard it in that minute or the four before it
-- (age below five minutes). Nodes come from the inventory, not from what was sent: a dead node sends nothing. By the gateway's clock: a
-- device's own can't fake freshness.
-- include insert_counts
WITH
    slices AS (
        SELECT DeviceId, ServiceName, Region, GatewayId, arrayJoin(arrayMap(i -> {lo:DateTime('UTC')} + toIntervalMinute(i),
            range(toUInt64(dateDiff('minute', {lo:DateTime('UTC')}, {hi:DateTime('UTC')}))))) AS Minute
        FROM inventory FINAL
        WHERE Present AND Since <= Minute
    ),
    heard AS (
        SELECT DISTINCT DeviceId, ServiceName, n.Minute + toIntervalMinute(arrayJoin(range(5))) AS Minute
        FROM node_minutes AS n
        WHERE n.Minute >= {lo:DateTime('UTC')} - toIntervalMinute(5) AND n.Minute < {hi:DateTime('UTC')}
    ),
    told AS (
        -- What a gateway in quarantine says of its nodes proves nothing: neither that they live nor that they don't.
        SELECT tuple(ServiceName, '', '', Region, GatewayId, '', '', '', if({by_device:Bool}, DeviceId, '')) AS D, Minute,
            multiIf((DeviceId, ServiceName, Minute) IN heard, 'true', arrayExists(q -> q.1 = s.GatewayId AND s.Minute >= q.2 AND s.Minute < q.3,
                {quarantine:Array(Tuple(String, DateTime64(3, 'UTC'), DateTime64(3, 'UTC')))}), 'unknown', 'false') AS Heard,
            -- Exclusions of devices, as asked_value has them; a node has no other names that they could use.
            arrayMap(m -> m.1, arrayFilter(m -> arrayAll(c -> multiIf(c.2 = '=', DeviceId = c.3, c.2 = '!=', DeviceId != c.3, c.2 = '=~', match(DeviceId, c.4), NOT match(DeviceId, c.4)),
                m.2), {marks:Array(Tuple(String, Array(Tuple(String, String, String, String))))})) AS Marks
        FROM slices AS s
    ),
    fresh AS (
        SELECT 'nodes.heard' AS Measure, D, Minute, toJSONString(mapFromArrays(arrayPushBack(Marks, 'heard'), arrayPushBack(arrayMap(m -> '1', Marks), Heard))) AS Attributes,
            tuple(toFloat64(count()), toFloat64(count()), count(), toUInt64(0), 0., 0.) AS Figures
        FROM told
        GROUP BY D, Minute, Heard, Marks
    ),
    settled AS (
        SELECT Measure, D, Attributes, Minute, anyIf(Figures, New) AS Now, anyIf(Figures, NOT New) AS Was
        FROM (
            SELECT true AS New, Measure, D, Attributes, Minute, Figures FROM fresh
            UNION ALL
            SELECT false, Measure, tuple(ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Wave, Hardware, DeviceId),
                Attributes, Minute, tuple(Events, Squares, Items, Unweighted, Bridged, Shifted)
            FROM count_minutes FINAL
            WHERE Measure = 'nodes.heard' AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        )
        GROUP BY Measure, D, Attributes, Minute
        HAVING Now != Was
    )
SELECT Measure, D.1, D.2, D.3, D.4, D.5, D.6, D.7, D.8, D.9, Attributes, Minute, Now.1, Now.2, Now.3, Now.4, Now.5, Now.6,
    {cause:String}, Was.1, {revision:UInt64}
FROM settled
SETTINGS do_not_merge_across_partitions_select_final = 1
