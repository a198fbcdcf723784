-- How sure predictions of part of a fleet were and how often they were right, of times [lo, hi): those that were recorded, and of those with a score,
-- a class, a label and a known weight the weighted sums. A label that only the record itself brings counts too.
SELECT count() AS Recorded, countIf(Truth != '') AS Labelled, countIf(Told) AS Used, sumIf(W, Told) AS Weights, sumIf(W * S, Told) AS Scores,
    sumIf(W, Told AND Right) AS Good, sumIf(W * W, Told AND Right) AS GoodSquares, sumIf(W, Told AND NOT Right) AS Bad,
    sumIf(W * W, Told AND NOT Right) AS BadSquares
FROM (
    SELECT Truth, Score IS NOT NULL AND Predicted != '' AND Truth != '' AND Weight IS NOT NULL AS Told, ifNull(Weight, 0) AS W, ifNull(Score, 0) AS S,
        Predicted = Truth AS Right
    FROM (
-- include export_predictions
    )
)
