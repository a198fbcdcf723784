-- How much of the expected nodes' time telemetry accounts for: covered over expected node-seconds, both without excluded time of nodes.
SELECT (
        SELECT sum(Events) FROM count_minutes FINAL
        WHERE Measure = 'covered' AND ServiceName = {service:String} AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')} AND $covered
    ) AS covered_s,
    (
        SELECT sum(greatest(0., least({length:Float64}, toFloat64(dateDiff('second', Since, {at:DateTime('UTC')})))
            - arraySum(a -> if(a.1 = DeviceId, greatest(0, dateDiff('second', greatest(a.2, Since, {at:DateTime('UTC')} - toIntervalSecond(toUInt64({length:Float64}))),
                least(a.3, {at:DateTime('UTC')}))), 0), $absent))) FROM inventory FINAL
        WHERE Present AND ServiceName = {service:String} AND $expected
    ) AS expected_s,
    if(expected_s > 0, least(1, covered_s / expected_s), NULL) AS coverage
