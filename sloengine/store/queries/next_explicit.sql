-- As next_sums.sql, of histograms with explicit bounds.
-- include next_begin
-- include asked_trusted
        ) AS Next
    FROM
-- include points_explicit
    WHERE p.AggregationTemporality = 2 AND
-- include next_rows
    GROUP BY p.StreamId, p.StartTimeUnix
-- include next_end
