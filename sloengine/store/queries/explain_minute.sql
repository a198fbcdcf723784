-- The newest minutes of one bucket key that hold anything.
SELECT Minute, Events, Squares, Items, Unweighted, Bridged, Shifted, Cause, Revision
FROM count_minutes FINAL
WHERE Measure = {measure:String} AND ServiceName = {service:String} AND $key AND Attributes = {attributes:String}
    AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')} AND Items + Unweighted > 0
ORDER BY Minute DESC
LIMIT 1 BY Events > 0
LIMIT 2
