"""How often a drift of a stated size is found."""

from __future__ import annotations

from itertools import product

import numpy as np

from sloengine.evaluate.drift.verdict import NAMES, Rule, Verdict
from tests.drift_tables.judging import RIVALS, Judged, judged
from tests.drift_tables.run import Found, Size, Task, margin, percent, psi_of, table, whole
from tests.drift_tables.shapes import MOVES, moved_by, normal

SIZES = (0.02, 0.05, 0.1, 0.25)
NOW = (50, 200, 1_000, 5_000)
BASELINES = (1_000, 100_000)
BINS = 16
RESOLUTIONS = (4, 8, 16, 64)
MEAN_MOVED = 0.05**0.5
ALPHA = Rule().alpha
DETECTORS = (*NAMES, *RIVALS)
VERDICTS = (Verdict.DRIFT, Verdict.NO_DRIFT, Verdict.NOT_ENOUGH_DATA)


def tasks(size: Size) -> list[Task]:
    cells = [
        Task(("power", *cell), cell_of, (cell, size.power_pairs, size.rounds))
        for cell in product(MOVES, SIZES, NOW, BASELINES)
    ]
    finer = [Task(("bins", bins), bins_of, (bins, size.power_pairs, size.rounds)) for bins in RESOLUTIONS]
    return [*cells, *finer]


def cell_of(cell: tuple[str, float, int, int], pairs: int, rounds: int) -> Judged:
    kind, moved, n, m = cell
    return judged(("power", *cell), moved_by(kind, BINS, moved), (m, n), pairs, rounds)


def bins_of(bins: int, pairs: int, rounds: int) -> Judged:
    """One and the same drift of values, by how finely they are counted."""
    return judged(("bins", bins), (normal(bins), normal(bins, MEAN_MOVED)), (100_000, 1_000), pairs, rounds)


def short(found: Found) -> list[str]:
    shares = [
        percent(
            float(
                np.mean(
                    [
                        found["power", kind, SIZES[-1], n, m].share(Verdict.DRIFT)
                        for kind, m in product(MOVES, BASELINES)
                    ]
                )
            )
        )
        for n in NOW
    ]
    told = ", ".join(f"{share} at {n:,}" for share, n in zip(shares, NOW, strict=True))
    return [f"Of a true PSI of {SIZES[-1]:g} `compare` says drift by the number of events: {told}."]


def text(found: Found, size: Size) -> str:
    return "\n".join([_powers(found, size), _verdicts(found), _resolutions(found)])


def _found_by(one: Judged) -> list[str]:
    return [percent(float(np.mean(one.p[name] <= ALPHA))) for name in DETECTORS]


def _powers(found: Found, size: Size) -> str:
    rows = [
        (kind, f"{moved:g}", whole(n), whole(m), *_found_by(found["power", kind, moved, n, m]))
        for kind, moved, n, m in product(MOVES, SIZES, NOW, BASELINES)
    ]
    return f"""## 2 With drift of a stated size

Over {BINS} bins, {size.power_pairs} pairs in each cell: the current histogram is drawn from shares whose PSI
against the baseline's, over these very bins and of
endless events, is as stated. Shares of pairs with p ≤ {ALPHA:g} (two standard errors are at most
{margin(0.5, size.power_pairs):.0%}). `ks_2samp` is right to find less where
values are tied; `chi2_contingency` finds more where it also finds more without drift.

{table(("shift", "PSI", "n", "m", *DETECTORS), rows)}"""


def _verdicts(found: Found) -> str:
    rows = []
    for kind, moved, n, m in product(MOVES, SIZES, NOW, BASELINES):
        one = found["power", kind, moved, n, m]
        rows.append(
            (
                kind,
                f"{moved:g}",
                whole(n),
                whole(m),
                *(percent(one.share(v)) for v in VERDICTS),
                percent(one.dummy / one.pairs),
            )
        )
    silent = max(
        found["power", kind, 0.25, n, m].share(Verdict.NO_DRIFT) for kind, n, m in product(MOVES, NOW, BASELINES)
    )
    return f"""By verdict. Drift below a PSI of 0.1 doesn't matter by the rule, so `no drift` is right of 0.02 and
0.05, and of 0.1 either. Of a PSI of 0.25
`no drift`, the one wrong answer, was said of at most {percent(silent)} of pairs. The PSI that is seen lies above
the true one by about (bins - 1)·(1/n + 1/m),
so of few events `drift` is also said of a drift that is smaller than the rule's, though surely there.

{table(("shift", "PSI", "n", "m", "drift", "no drift", "not enough data", "dummy"), rows)}"""


def _resolutions(found: Found) -> str:
    rows = [
        (bins, f"{psi_of(normal(bins), normal(bins, MEAN_MOVED)):.4f}", *_found_by(found["bins", bins]))
        for bins in RESOLUTIONS
    ]
    return f"""By how finely the same values are counted: a normal whose mean moved by {MEAN_MOVED:.3f} standard
deviations (PSI {MEAN_MOVED**2:.3g} of the values),
1,000 events against 100,000:

{table(("bins", "PSI of the bins", *DETECTORS), rows)}"""
