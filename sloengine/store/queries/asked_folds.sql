            arrayFirst(f -> f.1 = Measure, {folds:Array(Tuple(String, Array(String), Array(String), Array(Float64), String, String))}) AS F
