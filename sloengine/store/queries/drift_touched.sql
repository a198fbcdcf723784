-- The first hour that was folded anew since a revision, and the newest revision there is.
SELECT count() AS Found, min(Hour) AS Begin, max(Revision) AS Newest
FROM (
    SELECT Hour, Revision FROM histogram_hours
    WHERE NOT {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {oldest:DateTime('UTC')} AND Revision > {revision:UInt64}
    UNION ALL
    SELECT Hour, Revision FROM count_hours
    WHERE {classes:Bool} AND Measure = {measure:String} AND ServiceName = {service:String} AND Hour >= {oldest:DateTime('UTC')} AND Revision > {revision:UInt64}
)
