-- What was counted of some measures of a service, minute by minute, as corrected now: one row per key, minutes and figures as arrays. Dimensions
-- that no one asks about are summed away.
SELECT Measure, ServiceName AS service, model, version, region, gateway, rollout, wave, hardware, device, Attributes,
    groupArray(At) AS Places, groupArray(E) AS Events, groupArray(S) AS Squares, groupArray(U) AS Unweighted, groupArray(I) AS Items
FROM (
    SELECT Measure, ServiceName, if(has({keep:Array(String)}, 'model'), ModelName, '') AS model, if(has({keep:Array(String)}, 'version'), ModelVersion, '') AS version,
        if(has({keep:Array(String)}, 'region'), Region, '') AS region, if(has({keep:Array(String)}, 'gateway'), GatewayId, '') AS gateway,
        if(has({keep:Array(String)}, 'rollout'), RolloutId, '') AS rollout, if(has({keep:Array(String)}, 'wave'), Wave, '') AS wave,
        if(has({keep:Array(String)}, 'hardware'), Hardware, '') AS hardware, if(has({keep:Array(String)}, 'device'), DeviceId, '') AS device, Attributes,
        toUInt32(dateDiff('minute', {from:DateTime('UTC')}, Minute)) AS At,
        sum(m.Events) AS E, sum(m.Squares) AS S, toFloat64(sum(m.Unweighted)) AS U, sum(m.Items) + sum(m.Unweighted) > 0 AS I
    FROM count_minutes AS m FINAL
    WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String} AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')}
    GROUP BY ALL
)
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
