-- Which series a version of a baseline knows, and how many events of each.
SELECT SeriesId, Events FROM drift_baselines WHERE Monitor = {monitor:String} AND Version = {version:UInt32} ORDER BY SeriesId
