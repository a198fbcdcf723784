-- Of what hours a version of a baseline was made.
SELECT * FROM drift_baseline_versions FINAL WHERE Monitor = {monitor:String} AND Version = {version:UInt32}
