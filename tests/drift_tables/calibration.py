"""How often p is as small as alpha although nothing drifted."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.histogram import Floats
from sloengine.evaluate.drift.verdict import FULL, NAMES, Verdict
from tests.drift_tables.judging import RIVALS, Judged, judged
from tests.drift_tables.run import ALPHAS, Found, Size, Task, dice, margin, percent, table, whole
from tests.drift_tables.shapes import SHAPES, shape

BINS = (4, 8, 16, 64)
NOW = (50, 500, 5_000)
BASELINES = (1_000, 100_000)
DETECTORS = (*NAMES, *RIVALS)
EXPECTED = (5, 10, 25, 50, 100)
"""Events that the emptiest of equal bins expects, of the table about limits."""
TAIL_BINS = (4, 8)
TAIL_ALPHAS = (1e-3, 1e-5, 1e-7, 1e-9)
STEPS, REACH = 2_000, 1.5
"""Steps into which a statistic is divided where its distribution is counted out, up to so many times the last critical value."""
LEAST = 1e-18
"""Chance of an outcome of one bin that is left out."""


def tasks(size: Size) -> list[Task]:
    cells = [
        Task(("type1", *cell), cell_of, (cell, size.pairs, size.rounds))
        for cell in product(SHAPES, BINS, NOW, BASELINES)
    ]
    limits = [
        Task(("limits", bins, expected), limits_of, (bins, expected, size.many))
        for bins, expected in product(BINS, EXPECTED)
    ]
    tails = [Task(("tail", bins, n), tail_of, (bins, n)) for bins, n in product(TAIL_BINS, size.tail_events)]
    return [*cells, *limits, *tails]


def cell_of(cell: tuple[str, int, int, int], pairs: int, rounds: int) -> Judged:
    kind, bins, n, m = cell
    # Deals into many bins take most of the time.
    pairs = max(2, pairs // 3) if bins > 16 else pairs
    shares = shape(kind, bins)
    return judged(("type1", *cell), (shares, shares), (m, n), pairs, rounds)


def limits_of(bins: int, expected: int, pairs: int) -> dict[str, list[float]]:
    """Shares of undrifted pairs with p at most each alpha, by limits alone."""
    chance, n = dice("limits", bins, expected), bins * expected
    base, now = (chance.multinomial(k, np.full(bins, 1 / bins), size=pairs).astype(float) for k in (100_000, n))
    held, m = np.count_nonzero(base + now, axis=1), np.float64(100_000)
    sizes = {
        "psi": indices.psi(base, now),
        "js": 8 * indices.js(base, now) ** 2,
        "hellinger": 8 * indices.hellinger(base, now) ** 2,
    }
    found = {name: indices.divergence_p(size, np.float64(n), m, held) for name, size in sizes.items()}
    found["chi2"] = indices.chi2_p(*indices.chi2(base, now))
    found["G"] = special.chdtrc(held - 1, likelihood_ratio(base, now))
    return {name: [float(np.mean(p <= alpha)) for alpha in ALPHAS] for name, p in found.items()}


def likelihood_ratio(base: Floats, now: Floats) -> Floats:
    """G of the 2 × B table."""
    n, m = now.sum(axis=-1, keepdims=True), base.sum(axis=-1, keepdims=True)
    pooled = (base + now) / (n + m)
    with np.errstate(divide="ignore", invalid="ignore"):
        cells = special.xlogy(now, now / n / pooled) + special.xlogy(base, base / m / pooled)
    return np.asarray(2 * np.nansum(cells, axis=-1))


# --- far out, where a fleet decides


def tail_of(bins: int, n: int) -> dict[str, list[float]]:
    """True over said p of equal bins against a baseline that is known exactly, counted out over all outcomes."""
    expected, counts = n / bins, np.arange(n + 1)
    smoothed = (counts + 0.5) / (n + bins / 2)
    # What a bin with so many events adds to the statistic; G's with what cancels over all bins, so that none is below 0.
    williams = 1 + (bins + 1) / (6 * n)
    likelihood = 2 * (special.xlogy(counts, counts / expected) - counts + expected)
    cells = {
        "G": likelihood,
        "G, Williams": likelihood / williams,
        "χ²": (counts - expected) ** 2 / expected,
        "PSI": n * (smoothed - 1 / bins) * np.log(smoothed * bins),
    }
    chance = np.exp(special.xlogy(counts, expected) - expected - special.gammaln(counts + 1.0))
    return {name: _tail(cell, chance, bins) for name, cell in cells.items()}


def _tail(cell: Floats, chance: Floats, bins: int) -> list[float]:
    critical = [float(special.chdtri(bins - 1, alpha)) for alpha in TAIL_ALPHAS]
    width = REACH * critical[-1] / STEPS
    at = np.minimum(np.rint(cell / width).astype(int), STEPS)
    # ways[k, s]: of k events so far and a statistic of s steps; the last step holds all above.
    ways = np.zeros((len(cell), STEPS + 1))
    ways[0, 0] = 1.0
    for _ in range(bins):
        ways = _with_another_bin(ways, at, chance)
    found = ways[-1] / ways[-1].sum()
    statistic = np.arange(STEPS + 1) * width
    return [float(found[statistic >= line].sum() / alpha) for line, alpha in zip(critical, TAIL_ALPHAS, strict=True)]


def _with_another_bin(ways: Floats, at: NDArray[np.int_], chance: Floats) -> Floats:
    more = np.zeros_like(ways)
    for events in np.flatnonzero(chance > LEAST).tolist():
        step, kept, target = int(at[events]), ways[: len(ways) - events], more[events:]
        target[:, step:] += chance[events] * kept[:, : ways.shape[1] - step]
        target[:, -1] += chance[events] * kept[:, ways.shape[1] - step :].sum(axis=1)
    return more


# --- in words


def short(found: Found) -> list[str]:
    cells = [one for key, one in found.items() if key[0] == "type1"]
    means = {name: float(np.mean([np.mean(one.p[name] <= ALPHAS[1]) for one in cells])) for name in DETECTORS}
    ours = [means[name] for name in NAMES]
    by_ks, by_chi2 = (means[name] for name in RIVALS)
    false = float(np.mean([one.share(Verdict.DRIFT) for one in cells]))
    dummy = float(np.mean([one.dummy / one.pairs for one in cells]))
    return [
        f"Without drift p ≤ {ALPHAS[1]:g} comes in {min(ours):.4f} to {max(ours):.4f} of pairs, by index; by scipy's functions"
        f" on the same bins in {by_ks:.4f} (`ks_2samp`) and {by_chi2:.4f} (`chi2_contingency`).",
        f"`compare` calls {percent(false)} of undrifted pairs drift, the dummy {percent(dummy)}.",
    ]


def text(found: Found, size: Size) -> str:
    cells = {key[1:]: one for key, one in found.items() if key[0] == "type1"}
    return "\n".join(
        [_shares(cells, size), _thousandth(cells), _verdicts(cells), _limits(found, size), _tails(found, size)]
    )


def _shares(cells: Found, size: Size) -> str:
    rows = []
    for cell, one in cells.items():
        told = [" / ".join(f"{np.mean(one.p[name] <= alpha):.3f}" for alpha in ALPHAS[:2]) for name in DETECTORS]
        rows.append((cell[0], cell[1], whole(cell[2]), whole(cell[3]), *told))
    worst = {
        name: [float(np.mean([np.mean(one.p[name] <= alpha) for one in cells.values()])) for alpha in ALPHAS[:2]]
        for name in DETECTORS
    }
    means = "; ".join(f"{name} {shares[0]:.3f} / {shares[1]:.4f}" for name, shares in worst.items())
    allowed = [margin(alpha, size.pairs) for alpha in ALPHAS[:2]]
    return f"""## 1 Without drift

Both histograms are drawn from the same shares, {size.pairs} pairs in each cell (of {BINS[-1]} bins a third of
that); `compare` judges every pair, with {size.rounds} deals
instead of 4,999. Shares of pairs with p ≤ 0.05 / p ≤ 0.01. By chance alone they differ from these by up to
{allowed[0]:.3f} / {allowed[1]:.3f} (two standard
errors), in one of twenty cells by more. Flat: all bins alike. Geometric: a hundred times as many events in the
first bin as in the last.
Peaked: all but a hundredth in the topmost sixteenth of the bins. n events now, m in the baseline.

{table(("shares", "bins", "n", "m", *DETECTORS), rows)}
Means over all cells: {means}.

Below alpha is what few events must be: of few bins with few events p takes few values, and none may be too small.
`ks_2samp` of binned
values takes them for values without ties, `chi2_contingency` takes nearly empty bins for full ones.
"""


def _thousandth(cells: Found) -> str:
    rows = []
    for bins in BINS:
        of = [one for cell, one in cells.items() if cell[1] == bins]
        pairs = sum(one.pairs for one in of)
        rows.append(
            (
                bins,
                whole(pairs),
                *(f"{sum(np.sum(one.p[name] <= ALPHAS[2]) for one in of) / pairs:.4f}" for name in DETECTORS),
            )
        )
    return f"""Shares with p ≤ 0.001, over all cells of so many bins (two standard errors: {margin(ALPHAS[2], pairs):.4f}):

{table(("bins", "pairs", *DETECTORS), rows)}"""


def _verdicts(cells: Found) -> str:
    rows = []
    for (kind, bins, n, m), one in cells.items():
        told = [percent(one.share(verdict)) for verdict in (Verdict.DRIFT, Verdict.NO_DRIFT, Verdict.NOT_ENOUGH_DATA)]
        rows.append((kind, bins, whole(n), whole(m), *told, percent(one.dummy / one.pairs)))
    drift = [one.share(Verdict.DRIFT) for one in cells.values()]
    dummy = [one.dummy / one.pairs for one in cells.values()]
    return f"""The same pairs by verdict, beside the dummy detector (PSI above 0.1 is drift):

{table(("shares", "bins", "n", "m", "drift", "no drift", "not enough data", "dummy"), rows)}
A false drift is said, by the mean of all cells, of {percent(float(np.mean(drift)))} of pairs, in the worst cell
of {percent(max(drift))};
by the dummy of {percent(float(np.mean(dummy)))} and {percent(max(dummy))}.
"""


def _limits(found: Found, size: Size) -> str:
    rows = []
    for bins, expected in product(BINS, EXPECTED):
        one = found["limits", bins, expected]
        rows.append(
            (
                bins,
                expected,
                *(" / ".join(f"{share / a:.2f}" for share, a in zip(one[name], ALPHAS, strict=True)) for name in one),
            )
        )
    names = list(found["limits", BINS[0], EXPECTED[0]])
    return f"""### Why limits are not enough

p by the limit of many events alone, of equal bins that expect so many events each, against a baseline of 100,000:
how many times as often
as alpha p ≤ 0.05 / 0.01 / 0.001 ({whole(size.many)} pairs; two standard errors at 0.001:
{margin(0.001, size.many) / 0.001:.2f}). Below {FULL:g} expected events `compare` deals events out anew instead,
except for χ². G is the likelihood ratio, without Williams's factor.

{table(("bins", "expected", *names), rows)}"""


def _tails(found: Found, size: Size) -> str:
    rows = []
    for bins, n in product(TAIL_BINS, size.tail_events):
        one = found["tail", bins, n]
        rows.append((bins, n, *(" / ".join(f"{ratio:.2g}" for ratio in ratios) for ratios in one.values())))
    said = " / ".join(f"{alpha:g}" for alpha in TAIL_ALPHAS)
    return f"""### Far out

A fleet decides at p far below 0.001. Of equal bins against a baseline that is known exactly all outcomes can be
counted: how many times as
often as said p is at most {said}. 1 is right, more is false alarms.

{table(("bins", "n", *found["tail", TAIL_BINS[0], size.tail_events[0]]), rows)}"""
