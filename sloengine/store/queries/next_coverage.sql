-- As next_sums.sql: a node's point changes the next one's share of time.
-- include next_begin
-- include asked_trusted
        ) AS Next
    FROM
-- include points_coverage
    WHERE
-- include next_rows
    GROUP BY p.StreamId
-- include next_end
