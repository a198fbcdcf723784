-- SLOs that were judged in the last 30 days, each as it was judged last.
SELECT Slo, argMax(ServiceName, At) AS Service, argMax(Indicator, At) AS Sli, argMax(mapKeys(Slice), At) AS By
FROM slo_status
WHERE At > now() - toIntervalDay(30)
GROUP BY Slo
ORDER BY Slo
