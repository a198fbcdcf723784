-- M3 and M12, some units of gateways, by the time of the prediction, whenever its label came: weights of predictions by verdict, and
-- by band of their label's lag.
--
-- The lag of a prediction that waits is at least its age: it is bad once that passes the cut, and nobody knows before. Of one that is younger than
-- a cut only a good verdict could be known: counted before its age passes the cut, it would make the lag look better than it is. So of one
-- that has its label `unsettled:from` says from which cut on it is not judged yet; of one that waits the band itself says so.
-- include insert_counts
WITH
-- include predictions_told
    banded AS (
        SELECT *, F.1 AS Measure, F.2 AS Names, F.3 AS Detail,
            ifNull(toString(arrayLastOrNull(c -> if(Known = '', c <= Age, c < Lag), F.4)), '-inf') AS Gt,
            if(Known = '', 'inf', ifNull(toString(arrayFirstOrNull(c -> Lag <= c, F.4)), 'inf')) AS Le,
            if(Known = '', '', ifNull(toString(arrayFirstOrNull(c -> c > Age, F.4)), '')) AS Unsettled
        FROM told
        ARRAY JOIN {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))} AS F
    ),
    placed AS (
        SELECT Measure, Weight, Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute,
            tuple(Service, Model, Version, Region, Gateway, Rollout, if(has(Detail, 'wave'), Wave, ''), if(has(Detail, 'hardware'), Hardware, ''),
                if(has(Detail, 'device'), Device, '')) AS D,
            -- What a name stands for; what is not ours is looked up among the record's segments, then among its sender's attributes.
            Names, arrayMap(a -> multiIf(a = 'verdict', Verdict, a = 'gt', Gt, a = 'le', Le, a = 'unsettled:from', Unsettled, a = 'edge.inference.label', Predicted,
                a = 'edge.label.truth', Known, a = 'edge.label.source', Source, startsWith(a, 'edge.segment.'), Segments[a], Resource[a]), Names) AS Asked
        FROM banded
    ),
    fresh AS (
        SELECT Measure, D, Minute, toJSONString(mapFilter((k, v) -> v != '', mapFromArrays(Names, Asked))) AS Attributes,
            -- Rounded to a millionth: floats are added in any order, and a re-run must write nothing.
            tuple(round(sum(ifNull(Weight, 0)), 6), round(sum(ifNull(Weight * Weight, 0)), 6), countIf(Weight IS NOT NULL),
                countIf(Weight IS NULL), 0., round(sumIf(ifNull(Weight, 0), Shift != 0), 6)) AS Figures
        FROM placed
        GROUP BY Measure, D, Minute, Names, Asked
    ),
-- include predictions_settle
