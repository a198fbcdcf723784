    -- What each series is, told once for each and not for every point, which would cost ten times what counting does: names and asked attributes
    -- of its newest row. Nothing else reads the maps. The newest are found first, so that only their granules are opened.
    series AS (
        SELECT SeriesId, Measure,
-- include asked_columns
        FROM (
            SELECT MetricName AS Measure, Attributes AS Own, *,
-- include asked_folds
            FROM {raw:Identifier}
            PREWHERE (SeriesId, TimeUnix) IN (
                SELECT SeriesId, max(p.TimeUnix)
                FROM {raw:Identifier} AS p
                WHERE MetricName IN {names:Array(String)} AND
-- include asked_rows
                GROUP BY SeriesId
            )
            WHERE MetricName IN {names:Array(String)} AND GatewayId IN {gateways:Array(String)}
        ) AS p
        GROUP BY SeriesId, Measure
    ),
