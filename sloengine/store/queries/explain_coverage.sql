-- How much of the expected nodes' time telemetry accounts for: covered over expected node-seconds.
SELECT (
        SELECT sum(Events) FROM count_minutes FINAL
        WHERE Measure = 'covered' AND ServiceName = {service:String} AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')} AND $covered
    ) AS covered_s,
    (
        SELECT sum(greatest(0., least({length:Float64}, toFloat64(dateDiff('second', Since, {at:DateTime('UTC')}))))) FROM inventory FINAL
        WHERE Present AND ServiceName = {service:String} AND $expected
    ) AS expected_s,
    if(expected_s > 0, least(1, covered_s / expected_s), NULL) AS coverage
