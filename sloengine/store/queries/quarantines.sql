-- Every quarantine that was ever said, lifted ones included.
SELECT GatewayId, Since, Until, Reason, Author, Lifted, Revision FROM quarantines FINAL ORDER BY GatewayId, Since
