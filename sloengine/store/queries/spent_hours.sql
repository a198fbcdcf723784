-- Hours of some measures of a service, at the finest dimensions: what spent a budget is found in them. Bands are hours since the first. Detail
-- of nodes is summed away but where an SLO's own matchers ask for it.
SELECT Measure, ServiceName AS service, ModelName AS model, ModelVersion AS version, Region AS region, GatewayId AS gateway, RolloutId AS rollout,
    Wave AS wave, Hardware AS hardware, if({by_device:Bool}, DeviceId, '') AS device, Attributes,
    toUInt32(dateDiff('hour', {lo:DateTime('UTC')}, Hour)) + 1 AS Band,
    sum(Events) AS Events, sum(Squares) AS Squares, toFloat64(sum(Unweighted)) AS Unweighted, sum(Bridged) AS Bridged, sum(Shifted) AS Shifted,
    max(h.Last) AS Last
FROM count_hours AS h FINAL
WHERE Measure IN {measures:Array(String)} AND ServiceName = {of:String} AND Hour >= {lo:DateTime('UTC')} AND Hour <= {end:DateTime('UTC')}
GROUP BY ALL
SETTINGS do_not_merge_across_partitions_select_final = 1
