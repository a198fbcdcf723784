-- Since when anything was counted of some measures.
SELECT count() AS Found, min(Minute) AS Begin
FROM count_minutes
WHERE (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)}) AND Minute >= {from:DateTime('UTC')} AND Items + Unweighted > 0
