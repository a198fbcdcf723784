-- When each finding of a monitor began, as it was told first.
SELECT Finding, argMin(tuple(Onset, OnsetLow, OnsetHigh), At) AS Began, argMin(Explanation, At) AS Explanation
FROM drift_findings FINAL
WHERE Monitor = {monitor:String} AND Finding IN {findings:Array(String)}
GROUP BY Finding
