-- The score bins of one day by service, model, version and region, summed over gateways and hours; a row with an empty Bin where there were
-- predictions at all.
SELECT ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, JSONExtractString(Attributes, 'bin') AS Bin,
    sumIf(Events, Sum = 'weight') AS Weight, sumIf(b.Squares, Sum = 'weight') AS Squares, sumIf(Events, Sum = 'score') AS Scores,
    sumIf(Events, Sum = 'correct') AS Correct
FROM (
    SELECT *, JSONExtractString(Attributes, 'sum') AS Sum
    FROM count_minutes FINAL
    WHERE Measure IN ('calibration.bins', 'predictions') AND Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')}
        AND Items + Unweighted > 0
) AS b
GROUP BY service, model, version, region, Bin
ORDER BY service, model, version, region, Bin
SETTINGS do_not_merge_across_partitions_select_final = 1
