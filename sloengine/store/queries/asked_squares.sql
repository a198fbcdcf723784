            -- Squares of weights per event counted. Counts made from sampled spans tell the threshold of these: a span of weight w counts as w, rounded at
            -- random to a whole number, so its square is w² + f(1 - f) in the mean, f the fraction of w. Without it nobody can say: NULL.
            if(Told['sampling.method'] != 'extrapolated', toNullable(1.),
                arrayMap(w -> w + (w % 1) * (1 - w % 1) / w, [sloengine_threshold_weight(Told['edge.sampling.threshold'])])[1])
