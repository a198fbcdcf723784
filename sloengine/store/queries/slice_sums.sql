-- Sums per key and slice of time over [lo, hi), for verdicts of slices; what all rules of one slice length need in one pass. Slices are counted
-- from Monday, 1970-01-05. Leaked: the part of a key's first increase in the slice that may belong to the time before it. Cells: in how many
-- cells of the slice the key was heard of, which is how far a sum is known. Empty lists of names mean all. What exclusions may take out is told
-- apart by the edges of excluded time: each piece is whole in it or not at all.
SELECT Measure, ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
    Wave AS wave, Hardware AS hardware, if(empty({nodewise:Array(String)}) OR Measure IN {nodewise:Array(String)}, DeviceId, '') AS device, Attributes,
    toDateTime(intDiv(toUnixTimestamp(Minute) - 345600, {length:UInt32}) * {length:UInt32} + 345600, 'UTC') AS Slice,
    round(sum(c.Events), 6) AS Events, sum(c.Unweighted) AS Unweighted, argMin(c.Bridged, Minute) AS Leaked,
    uniqExact(intDiv(toUnixTimestamp(Minute) - toUnixTimestamp(Slice), {cell:UInt32})) AS Cells,
    min(Minute) AS First, if(position(Attributes, '"excluded:') = 0, 0, arrayCount(e -> e <= Minute, {edges:Array(DateTime('UTC'))})) AS Piece
FROM count_minutes AS c FINAL
WHERE Minute >= {lo:DateTime('UTC')} AND Minute < {hi:DateTime('UTC')} AND (empty({measures:Array(String)}) OR Measure IN {measures:Array(String)})
    AND toStartOfHour(Minute) >= toStartOfHour({lo:DateTime('UTC')}) AND c.Items + c.Unweighted > 0
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
