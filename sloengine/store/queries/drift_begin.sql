-- Since when scores are known.
SELECT count() AS Found, min(Minute) AS Begin
FROM histogram_minutes
WHERE Measure = 'edge.inference.score' AND Minute >= {from:DateTime('UTC')} AND Items > 0
