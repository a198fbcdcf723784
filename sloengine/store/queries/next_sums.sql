-- A cumulative point changes its own bucket and that of the next point of its series, whose increase is counted from it. For some gateways
-- and a range: the minutes and gateways of those next points behind it, looking `reach` seconds far, and how many series have none there yet.
-- include next_begin
-- include asked_trusted
        ) AS Next
    FROM
-- include points_sums
    WHERE p.AggregationTemporality = 2 AND
-- include next_rows
    GROUP BY p.StreamId, p.StartTimeUnix
-- include next_end
