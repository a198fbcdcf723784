-- What calibration is worked out from, some units, which are hours of gateways: of the labelled predictions of an hour and tenth of the score the
-- weights, and the sums of weight x score and of the weights of the correct ones. Ten equal bins, a score of 1 in the last.
-- include insert_counts
WITH
-- include predictions_told
    fresh AS (
        SELECT 'calibration.bins' AS Measure, tuple(Service, Model, Version, Region, Gateway, '', '', '', '') AS D,
            toStartOfHour(toDateTime(T, 'UTC')) AS Minute,
            toJSONString(map('bin', toString(least(9, toUInt8(floor(assumeNotNull(Score) * 10)))), 'sum', S.1)) AS Attributes,
            tuple(round(sum(S.2), 6), round(sum(assumeNotNull(Weight) * assumeNotNull(Weight)), 6), count(), toUInt64(0), 0.,
                round(sumIf(S.2, Shift != 0), 6)) AS Figures
        FROM told
        ARRAY JOIN [('weight', assumeNotNull(Weight)), ('score', assumeNotNull(Weight) * assumeNotNull(Score)),
            ('correct', if(Verdict = 'correct', assumeNotNull(Weight), 0))] AS S
        WHERE Verdict IN ('correct', 'wrong') AND Score IS NOT NULL AND Weight IS NOT NULL
        GROUP BY Measure, D, Minute, Attributes
    ),
-- include predictions_settle
