-- M6: the devices of one rollout by minute and state, each device of a service once, at the minute of its first start.
--
-- State: the last event that is not a cancellation. A start without an end is pending until the limit, then unfinished. A cancellation changes
-- nothing that had ended; of a device that had started it makes an unfinished one at once; a device that had not is no attempt. Declared
-- targets of which nothing was ever heard are pending from their declaration and unfinished after the limit.
WITH
    events AS (
        SELECT ServiceName, DeviceId, Status, ErrorType, tuple(ModelName, ModelVersion, Region, GatewayId, Wave, Hardware) AS About,
            ResourceAttributes AS Resource, Timestamp + toIntervalMillisecond(
-- include predictions_shift
            ) AS T,
            -- Of events of the same moment an end comes after the start, and a success after a failure.
            tuple(T, indexOf(['started', 'failed', 'succeeded'], toString(Status))) AS Place
        FROM device_updates
        WHERE RolloutId = {rollout:String} AND
-- include predictions_trusted
    ),
    devices AS (
        SELECT ServiceName, DeviceId, argMaxIf(tuple(Status, T, About, Resource), Place, Status != 'cancelled') AS Last,
            if(countIf(Status = 'started') > 0, minIf(T, Status = 'started'), minIf(T, Status != 'cancelled')) AS Began,
            argMaxIf(ErrorType, Place, Status = 'failed') AS Error, maxIf(T, Status = 'cancelled') AS Cancelled
        FROM events
        GROUP BY ServiceName, DeviceId
        HAVING countIf(Status != 'cancelled') > 0
    ),
    silent AS (
        SELECT DeviceId AS Silent, At, Wave, t.ServiceName AS Service, t.ModelName AS Model, t.ModelVersion AS Version
        FROM rollout_targets AS t FINAL
        WHERE RolloutId = {rollout:String} AND NOT Withdrawn AND DeviceId NOT IN (SELECT DeviceId FROM events)
    ),
    others AS (
        -- What the rollout's own events say of it; empty if there are none.
        SELECT argMin(ServiceName, T) AS Service, argMin(About, T) AS About FROM events
    ),
    known AS (
        SELECT DeviceId, argMin(tuple(ServiceName, Region, GatewayId), ServiceName) AS Node, groupArray(tuple(ServiceName, Region, GatewayId)) AS Nodes
        FROM inventory FINAL WHERE Present GROUP BY DeviceId
    ),
    told AS (
        SELECT Began, ServiceName AS service, Last.3.1 AS model, Last.3.2 AS version, Last.3.3 AS region, Last.3.4 AS gateway, Last.3.5 AS wave,
            Last.3.6 AS hardware, DeviceId AS device, Last.4 AS Resource,
            multiIf(Last.1 != 'started', toString(Last.1), Cancelled >= Last.2
                OR Last.2 <= {now:DateTime64(3, 'UTC')} - toIntervalSecond({limit:UInt32}), 'unfinished', 'pending') AS State,
            if(State = 'failed', Error, '') AS Error
        FROM devices
        UNION ALL
        SELECT toDateTime64(At, 9, 'UTC'), multiIf(silent.Service != '', silent.Service, others.Service != '', others.Service, known.Node.1) AS service,
            if(Model != '', Model, others.About.1), if(Version != '', Version, others.About.2),
            arrayFirst(n -> n.1 = service, known.Nodes).2, arrayFirst(n -> n.1 = service, known.Nodes).3,
            Wave, '', Silent, CAST(map(), 'Map(LowCardinality(String), String)'),
            if(At <= {now:DateTime64(3, 'UTC')} - toIntervalSecond({limit:UInt32}), 'unfinished', 'pending'), ''
        FROM silent
        LEFT JOIN known ON silent.Silent = known.DeviceId
        CROSS JOIN others
    )
SELECT toStartOfMinute(toDateTime(Began, 'UTC')) AS Minute, service, model, version, region, gateway, wave,
    if(has({detail:Array(String)}, 'hardware'), hardware, '') AS hardware, if(has({detail:Array(String)}, 'device'), device, '') AS device,
    arrayMap(a -> multiIf(a = 'state', State, a = 'error.type', toString(Error), Resource[a]), {asked:Array(String)}) AS Asked, count() AS Devices
FROM told
WHERE Began >= {oldest:DateTime64(3, 'UTC')} AND Began < {newest:DateTime64(3, 'UTC')}
GROUP BY ALL
ORDER BY ALL
