-- The id of a model's, or of a version's, series: what drift_ids.sql gives rows of it.
SELECT if({version:String} = '', sipHash64({monitor:String}, 'model', {model:String}), sipHash64({monitor:String}, 'version', {model:String}, {version:String})) AS Id
