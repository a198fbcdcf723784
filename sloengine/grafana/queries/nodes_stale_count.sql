-- Expected nodes that their gateway has not heard for five minutes, or never.
SELECT countIf(AgeSeconds IS NULL OR AgeSeconds > 300) AS stale
FROM nodes_now
WHERE $__conditionalAll(Region IN (${region:singlequote}), $region)
