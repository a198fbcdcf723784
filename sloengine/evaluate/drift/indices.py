"""Indices of the distance between two histograms over the same bins, and how surprising each would be without drift. Pure.

Everything takes counts of shape (..., B) and gives one figure for each histogram: a fleet's are worked out at once. p and q are
the shares of the baseline and of now; n and m events stand behind them.

Without drift PSI, eight times the squared Jensen-Shannon distance and eight times the squared Hellinger distance all tend to
Σ (p - q)² / p, so each over (1/n + 1/m) is distributed as χ² with B - 1 degrees of freedom: for PSI Yurdakul & Naranjo 2020, for
all three, as f-divergences, Csiszár & Shields 2004, section 4. That holds where bins aren't nearly empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, signal, special  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

HALF = 0.5
"""Added to every bin before PSI's shares are taken: an empty bin is neither infinite nor ignored (Jeffreys 1946)."""
LATTICE_MAX = 10**6
"""Events of the smaller side up to which the p of KS is counted out event by event; of more, in steps of several."""
FAR = 12.0
"""Standard deviations within which ways are counted."""
DIRECT_MAX = 200_000
"""Products up to which a convolution is quicker one by one."""
ROUNDING = 1e-12
"""By how much a distance may have been rounded."""
LEAST = 1e-300
"""Divides where there is nothing, which leaves 0; its logarithm is finite."""
PERMUTED_MAX = 10**9
"""Events up to which numpy draws from the hypergeometric distribution."""


def shares(counts: Floats) -> Floats:
    """Counts over their sum; NaN of nothing."""
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(counts / total)


def psi(baseline: Floats, current: Floats) -> Floats:
    """Population stability index Σ (q - p)·ln(q / p), half an event added to every bin (Lewis 1994; Siddiqi 2006).

    Symmetric; 0 for equal shares; joining bins can only lower it.
    """
    p, q = shares(baseline + HALF), shares(current + HALF)
    return _total((q - p) * np.log(q / p))


def ks(baseline: Floats, current: Floats) -> Floats:
    """Kolmogorov-Smirnov distance max |F - G| at the bins' edges: at most that of the values themselves."""
    return np.asarray(np.max(np.abs(steps(baseline, current)), axis=-1))


def ks_most(baseline: Floats, current: Floats) -> Floats:
    """What the distance of the values themselves is at most: max over bins of F(i) - G(i-1) and G(i) - F(i-1)."""
    p, q, gaps = shares(baseline), shares(current), steps(baseline, current)[..., 1:]
    above, below = np.max(gaps + q, axis=-1), np.max(p - gaps, axis=-1)
    return np.asarray(np.minimum(1.0, np.maximum(above, below)))


def steps(baseline: Floats, current: Floats) -> Floats:
    """F - G at every edge, shape (..., B + 1); 0 at the first and the last, whatever rounding says."""
    inner = np.cumsum(shares(baseline) - shares(current), axis=-1)[..., :-1]
    ends = np.zeros((*inner.shape[:-1], 1))
    return np.concatenate([ends, inner, ends], axis=-1)


def js(baseline: Floats, current: Floats) -> Floats:
    """Jensen-Shannon distance, the square root of the divergence in nats (Lin 1991; Endres & Schindelin 2003); at most √ln 2.

    Of ln 1 + x with x = (p - q) / (p + q): where both sides are alike nothing is left to cancel.
    """
    p, q = shares(baseline), shares(current)
    x = (p - q) / np.maximum(p + q, LEAST)
    # x is ±1 where one side is empty, and 0·ln 0 counts as 0.
    divergence = _total(p * np.log(np.maximum(1 + x, LEAST)) + q * np.log(np.maximum(1 - x, LEAST))) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def hellinger(baseline: Floats, current: Floats) -> Floats:
    """Hellinger distance √(½ Σ (√p - √q)²); at most 1."""
    return np.asarray(np.sqrt(_total((np.sqrt(shares(baseline)) - np.sqrt(shares(current))) ** 2) / 2))


def wasserstein(baseline: Floats, current: Floats, edges: Floats) -> Floats:
    """Wasserstein-1 distance ∫ |F - G| dx in the score's own units; ``edges`` of shape (B + 1,).

    Inside a bin values count as evenly spread. An open bin has no width: what lies in it counts as lying at its one bound, so
    what moves inside it does not move at all.
    """
    gaps = steps(baseline, current)
    before, after = gaps[..., :-1], gaps[..., 1:]
    area = np.abs(before) + np.abs(after)
    # Where F and G cross inside a bin, the area is that of two triangles: a + b less 2ab / (a + b).
    crossed = 2 * np.minimum(before * after, 0.0) / np.maximum(area, LEAST)
    return _total((area + crossed) * widths(edges)) / 2


def widths(edges: Floats) -> Floats:
    """Of every bin, shape (B,); 0 of an open one."""
    inner = edges[np.isfinite(edges)]
    bounded = np.clip(edges, inner[0], inner[-1])
    return np.where(np.isfinite(edges[1:]) & np.isfinite(edges[:-1]), np.diff(bounded), 0.0)


def chi2(baseline: Floats, current: Floats) -> tuple[Floats, NDArray[np.int_]]:
    """Pearson's χ² of homogeneity of the 2 × B table and its degrees of freedom: bins that both leave empty are none."""
    pooled = baseline + current
    cells = (shares(baseline) - shares(current)) ** 2 / np.maximum(pooled, LEAST)
    size = baseline.sum(axis=-1) * current.sum(axis=-1) * _total(cells)
    return np.asarray(np.nan_to_num(size)), np.count_nonzero(pooled, axis=-1) - 1


def _total(cells: Floats) -> Floats:
    return np.asarray(np.sum(cells, axis=-1))


# --- how surprising


def divergence_p(size: Floats, n: Floats, m: Floats, bins: int | NDArray[np.int_]) -> Floats:
    """p of a divergence that tends to Σ (p - q)² / p: PSI, 8·JS², 8·H²; n, m and bins for each or for all."""
    return np.asarray(special.chdtrc(np.maximum(1, np.asarray(bins) - 1), size / (1 / n + 1 / m)))


def chi2_p(value: Floats, freedom: NDArray[np.int_]) -> Floats:
    """1 where there is no freedom: one bin alone can't differ."""
    return np.asarray(np.where(freedom > 0, special.chdtrc(np.maximum(freedom, 1), value), 1.0))


def ks_p(distance: float, baseline: Floats, current: Floats) -> float:
    """p of a KS distance at the edges of these bins: the share of all ways to deal their events to two sides that reaches it.

    Exact, however few or uneven the bins (Schröer & Trenkler 1995): the path of the events in order is held against the distance
    where a bin ends and nowhere else. With one event in every bin it is the p of two samples without ties (Hodges 1958). Given
    what all bins hold, ways are binomial from edge to edge. Counts are taken as whole numbers.
    """
    held = np.rint(baseline + current)
    sizes = held[held > 0].astype(np.int64).tolist()
    total, few = sum(sizes), round(min(float(baseline.sum()), float(current.sum())))
    if distance <= 0 or not 0 < few < total:
        return 1.0
    if few > LATTICE_MAX:
        # The distance times the root of the size is what counts, and steps of so fine a lattice are as good as none.
        by = few / LATTICE_MAX
        return ks_p(distance * by**0.5, np.asarray(baseline) / by, np.asarray(current) / by)
    reached = max(1, math.ceil((distance - ROUNDING) * few * (total - few)))
    return min(1.0, _reaching(sizes, few, reached))


def _reaching(sizes: Sequence[int], few: int, reached: int) -> float:
    """Probability that a path reaches the distance, in units of 1 / (few · many): summed by the first edge where it does."""
    total = sum(sizes)
    share = few / total
    steps: dict[int, tuple[int, Floats]] = {}
    whole = _at(_binomial(total, share), np.array([few]))[0]
    inside, low, at, found = np.ones(1), 0, 0, 0.0
    for size in sizes[:-1]:
        if size not in steps:
            steps[size] = _binomial(size, share)
        first, chances = steps[size]
        inside = _joined(inside, chances)
        low, at = low + first, at + size
        # Of `at` events i are the smaller side's: reached where |i·total - at·few| is.
        least, most = (at * few - reached) // total + 1, -((-at * few - reached) // total) - 1
        least, most = max(least, 0, few - (total - at)), min(most, few, at)
        below, above = inside[: max(0, least - low)], inside[max(0, most + 1 - low) :]
        if below.size or above.size:
            rest = _binomial(total - at, share)
            found += float(below @ _at(rest, few - low - np.arange(below.size)))
            found += float(above @ _at(rest, few - low - np.arange(inside.size - above.size, inside.size)))
        inside = inside[below.size : inside.size - above.size]
        low += below.size
        if not inside.size:
            break
    return float(found / whole)


def _binomial(count: int, share: float) -> tuple[int, Floats]:
    """First k and the probabilities from it on, of those above some 10^-30; without Γ, which loses digits of many."""
    spread = FAR * math.sqrt(count * share * (1 - share)) + 40
    first, last = max(0, math.floor(count * share - spread)), min(count, math.ceil(count * share + spread))
    k = np.arange(first + 1, last + 1, dtype=np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log((count - k + 1) / k * (share / (1 - share))))])
    odds = np.exp(logs - logs.max())
    return first, odds / odds.sum()


def _at(binomial: tuple[int, Floats], k: NDArray[np.int_]) -> Floats:
    first, chances = binomial
    place = k - first
    inside = (place >= 0) & (place < len(chances))
    return np.where(inside, chances[np.where(inside, place, 0)], 0.0)


def _joined(one: Floats, other: Floats) -> Floats:
    """Convolved: by Fourier's transform where that is quicker, which is exact to some 10^-16 of the whole."""
    if len(one) * len(other) <= DIRECT_MAX:
        return np.convolve(one, other)
    return np.asarray(np.maximum(signal.fftconvolve(one, other), 0.0))


def dealt(baseline: Floats, current: Floats, *, rounds: int, seed: int) -> tuple[Floats, Floats]:
    """What chance alone would show: the events of both sides, dealt out anew so many times; shapes (rounds, B).

    By permutation, counts taken as whole numbers; of more events than a double tells apart, by drawing both from what they share.
    """
    both = np.rint(baseline + current).astype(np.int64)
    n = int(min(both.sum(), np.rint(baseline.sum())))
    # The same histograms always get the same deals; others get others, or all would share the error of one draw.
    dice = np.random.default_rng([seed, n, *both.tolist()])
    if both.sum() < PERMUTED_MAX:
        first = dice.multivariate_hypergeometric(both, n, size=rounds, method="marginals")
        return first.astype(np.float64), (both - first).astype(np.float64)
    whole = both / both.sum()
    first, second = (dice.multinomial(size, whole, size=rounds) for size in (n, int(both.sum()) - n))
    return first.astype(np.float64), second.astype(np.float64)


def chance(found: Floats, value: float) -> float:
    """p of a value by the values that chance gave: (1 + reached) / (1 + rounds), never 0 (Davison & Hinkley 1997)."""
    return (1 + int(np.count_nonzero(found >= value * (1 - 1e-12)))) / (1 + len(found))


def smallest_psi(n: float, m: float, bins: int, alpha: float, power: float) -> float:
    """PSI that a test at ``alpha`` would find with probability ``power``: noncentral χ² (Patnaik 1949; local alternatives)."""
    freedom = max(1, bins - 1)
    critical = float(special.chdtri(freedom, alpha))
    most = 10.0
    while special.chndtr(critical, freedom, most) > 1 - power:
        most *= 2
    found = optimize.brentq(lambda nc: special.chndtr(critical, freedom, nc) - (1 - power), 1e-9, most)
    return float(found * (1 / n + 1 / m))
