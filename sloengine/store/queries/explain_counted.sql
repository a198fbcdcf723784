    -- Included at the beginning of what `explain` prints: the bucket rows of one slice of an SLO, minutes [from, until), newest revisions,
    -- and what each counts as. The words in dollars stand for the SLO's selectors, written as expressions over the columns.
    counted AS (
        SELECT *, $good AS G, $bad AS B, $total AS T,
            if(isNull(G + B + T), 0., toFloat64($as_good)) AS Good,
            if(isNull(G + B + T), 0., toFloat64($as_bad)) AS Bad,
            if(isNull(G + B + T), 1., toFloat64($as_unknown)) AS Unknown
        FROM count_minutes FINAL
        WHERE Measure IN {measures:Array(String)} AND ServiceName = {service:String}
            AND Minute >= {from:DateTime('UTC')} AND Minute < {until:DateTime('UTC')}
            AND $rows AND (isNull(G + B + T) OR G + B + T > 0)
    )
