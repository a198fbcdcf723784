        -- Included where count_minutes stands in for count_hour_minutes: hours that were folded before they kept their minutes. A folding writes all
        -- keys of an hour and measure, so none of them is missing where there is one.
        AND (toStartOfHour(Minute), Measure) NOT IN (
            SELECT DISTINCT Hour, Measure FROM count_hour_minutes
            WHERE Hour IN {ragged_hours:Array(DateTime('UTC'))} AND Measure IN {measures:Array(String)}
        )
