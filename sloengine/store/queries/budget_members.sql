-- Which slices each SLO kept apart when it was last judged: who is within its cardinality budget. Of no slice, and of what was folded away,
-- nothing is to be remembered.
SELECT Slo, Slice
FROM slo_status
WHERE At >= {oldest:DateTime('UTC')} AND At <= {now:DateTime('UTC')} AND Folded = 0 AND notEmpty(Slice)
    AND (Slo, At) IN (SELECT Slo, max(At) FROM slo_status WHERE At >= {oldest:DateTime('UTC')} AND At <= {now:DateTime('UTC')} GROUP BY Slo)
