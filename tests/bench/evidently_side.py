"""evidently's own functions over raw samples, in a virtual environment of its own: it does not import beside pandas 3.

Told the file of samples; for each line on stdin one line of JSON: seconds for each series and index of `round N`, or what the
functions gave for `values N`.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import (
    hellinger_stat_test,
    jensenshannon_stat_test,
    ks_stat_test,
    psi_stat_test,
    wasserstein_stat_test,
)
from evidently.legacy.core import ColumnType

TESTS = {
    "psi": psi_stat_test,
    "js": jensenshannon_stat_test,
    "hellinger": hellinger_stat_test,
    "ks": ks_stat_test,
    "wasserstein": wasserstein_stat_test,
}
OF_BINS = ("psi", "js", "hellinger")
"""What takes the very bins that it is given, as categories; of numbers evidently makes bins of its own."""


def scored(name, baseline, current, kind):
    return float(TESTS[name](pd.Series(baseline), pd.Series(current), kind, None).drift_score)


def round_of(baseline, current):
    took = {}
    for name in TESTS:
        began = time.perf_counter()
        for b, c in zip(baseline, current, strict=True):
            scored(name, b, c, ColumnType.Numerical)
        took[name] = (time.perf_counter() - began) / len(current)
    return took


def values_of(baseline, current, edges):
    found = {}
    for name in TESTS:
        if name in OF_BINS:
            pairs = [
                (np.searchsorted(edges, b), np.searchsorted(edges, c)) for b, c in zip(baseline, current, strict=True)
            ]
            kind = ColumnType.Categorical
        else:
            pairs, kind = list(zip(baseline, current, strict=True)), ColumnType.Numerical
        found[name] = [scored(name, b, c, kind) for b, c in pairs]
    return found


def main():
    warnings.simplefilter("ignore")
    samples = np.load(Path(sys.argv[1]))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        what, size = line.split()
        baseline, current = (samples[side][: int(size)] for side in ("baseline", "current"))
        answer = round_of(baseline, current) if what == "round" else values_of(baseline, current, samples["bounds"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
