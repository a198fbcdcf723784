-- The engine's own statement for one bucket, counted again from raw rows; nothing is written.
$fold
SELECT Minute, Attributes, Figures.1 AS Events, Figures.2 AS Squares, Figures.3 AS Items, Figures.4 AS Unweighted, Figures.5 AS Bridged, Figures.6 AS Shifted
FROM fresh
WHERE D = $key AND Attributes = {attributes:String} AND Minute = {lo:DateTime('UTC')}
