"""Indices of the distance between two histograms over the same bins, and how surprising each would be without drift. Pure.

Everything takes counts of shape (..., B) and gives one figure for each histogram: a fleet's are worked out at once. p and q are
the shares of the baseline and of now; n and m events stand behind them.

Without drift PSI, eight times the squared Jensen-Shannon distance and eight times the squared Hellinger distance all tend to
Σ (p - q)² / p, so each over (1/n + 1/m) is distributed as χ² with B - 1 degrees of freedom: for PSI Yurdakul & Naranjo 2020, for
all three, as f-divergences, Csiszár & Shields 2004, section 4. That holds where bins aren't nearly empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

HALF = 0.5
"""Added to every bin before PSI's shares are taken: an empty bin is neither infinite nor ignored (Jeffreys 1946)."""
EXACT_STEPS = 2e7
"""Cells of the lattice up to which the p-value of KS is counted out exactly: a fifth of a second."""
PERMUTED_MAX = 10**9
"""Events up to which numpy draws from the hypergeometric distribution."""
ALIKE = 4.0
"""Ratio of sample sizes up to which Kolmogorov's limit is nearer to the exact p than one sample's distribution is."""


def shares(counts: Floats) -> Floats:
    """Counts over their sum; NaN of nothing."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0))


def psi(baseline: Floats, current: Floats) -> Floats:
    """Population stability index Σ (q - p)·ln(q / p), half an event added to every bin (Lewis 1994; Siddiqi 2006).

    Symmetric; 0 for equal shares; joining bins can only lower it.
    """
    p, q = shares(baseline + HALF), shares(current + HALF)
    return np.asarray(np.sum((q - p) * np.log(q / p), axis=-1))


def ks(baseline: Floats, current: Floats) -> Floats:
    """Kolmogorov-Smirnov distance max |F - G| at the bins' edges: at most that of the values themselves."""
    return np.asarray(np.max(np.abs(_gaps(baseline, current)), axis=-1))


def ks_most(baseline: Floats, current: Floats) -> Floats:
    """What the distance of the values themselves is at most: max over bins of F(i) - G(i-1) and G(i) - F(i-1)."""
    p, q = shares(baseline), shares(current)
    f, g = np.cumsum(p, axis=-1), np.cumsum(q, axis=-1)
    return np.asarray(np.minimum(1.0, np.max(np.maximum(f - (g - q), g - (f - p)), axis=-1)))


def js(baseline: Floats, current: Floats) -> Floats:
    """Jensen-Shannon distance, the square root of the divergence in nats (Lin 1991; Endres & Schindelin 2003); at most √ln 2."""
    p, q = shares(baseline), shares(current)
    middle = (p + q) / 2
    divergence = np.sum(special.rel_entr(p, middle) + special.rel_entr(q, middle), axis=-1) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def hellinger(baseline: Floats, current: Floats) -> Floats:
    """Hellinger distance √(½ Σ (√p - √q)²); at most 1."""
    p, q = np.sqrt(shares(baseline)), np.sqrt(shares(current))
    return np.asarray(np.sqrt(np.sum((p - q) ** 2, axis=-1) / 2))


def wasserstein(baseline: Floats, current: Floats, edges: Floats) -> Floats:
    """Wasserstein-1 distance ∫ |F - G| dx in the score's own units; ``edges`` of shape (B + 1,).

    Inside a bin values count as evenly spread. An open bin has no width: what lies in it counts as lying at its one bound, so
    what moves inside it does not move at all.
    """
    gaps = _gaps(baseline, current)
    before = np.concatenate([np.zeros((*gaps.shape[:-1], 1)), gaps[..., :-1]], axis=-1)
    width = np.where(np.isfinite(edges[1:]) & np.isfinite(edges[:-1]), np.diff(_bounded(edges)), 0.0)
    size, other = np.abs(before), np.abs(gaps)
    together = size + other
    # Where F and G cross inside a bin, the area is that of two triangles.
    crossed = np.divide(size**2 + other**2, together, out=np.zeros_like(together), where=together > 0)
    return np.asarray(np.sum(width * np.where(before * gaps < 0, crossed, together) / 2, axis=-1))


def _bounded(edges: Floats) -> Floats:
    inner = edges[np.isfinite(edges)]
    return np.clip(edges, inner[0], inner[-1])


def chi2(baseline: Floats, current: Floats) -> tuple[Floats, NDArray[np.int_]]:
    """Pearson's χ² of homogeneity of the 2 × B table and its degrees of freedom: bins that both leave empty are none."""
    n, m = baseline.sum(axis=-1, keepdims=True), current.sum(axis=-1, keepdims=True)
    pooled = baseline + current
    apart = (baseline * m - current * n) ** 2
    cells = np.divide(apart, pooled * n * m, out=np.zeros(pooled.shape), where=pooled * n * m > 0)
    return np.asarray(np.sum(cells, axis=-1)), np.count_nonzero(pooled, axis=-1) - 1


def _gaps(baseline: Floats, current: Floats) -> Floats:
    """F - G at the upper edge of every bin; 0 at the last, whatever rounding says."""
    found = np.cumsum(shares(baseline) - shares(current), axis=-1)
    found[..., -1] = 0.0
    return np.asarray(found)


# --- how surprising


def divergence_p(size: Floats, n: Floats, m: Floats, bins: int | NDArray[np.int_]) -> Floats:
    """p of a divergence that tends to Σ (p - q)² / p: PSI, 8·JS², 8·H²; n, m and bins for each or for all."""
    return np.asarray(special.chdtrc(np.maximum(1, np.asarray(bins) - 1), size / (1 / n + 1 / m)))


def chi2_p(value: Floats, freedom: NDArray[np.int_]) -> Floats:
    """1 where there is no freedom: one bin alone can't differ."""
    return np.asarray(np.where(freedom > 0, special.chdtrc(np.maximum(freedom, 1), value), 1.0))


def ks_p(distance: float, n: float, m: float) -> float:
    """p of a KS distance: exact where that is quick, else by the nearer limit; on few bins too large, which is the safe side.

    Sources: Hodges 1958 for the exact one (paths of a lattice that stay within the distance); Kolmogorov's limit for sizes alike,
    one sample's distribution (Simard & L'Ecuyer 2011) at nm / (n + m) for sizes that differ.
    """
    if distance <= 0:
        return 1.0
    few, many = sorted((n, m))
    if n == int(n) and m == int(m) and (few + 1) * (n + m) <= EXACT_STEPS:
        return _ks_exact(distance, int(few), int(many))
    size = n * m / (n + m)
    if many <= ALIKE * few:
        return float(special.kolmogorov(distance * np.sqrt(size)))
    return float(stats.kstwo.sf(distance, max(1, round(size))))


def _ks_exact(distance: float, few: int, many: int) -> float:
    """Share of the orders in which two samples can fall that reach the distance.

    Along the diagonals i + j of the lattice: the probability that a random path to (i, j) never reached it.
    """
    at = np.arange(few + 1, dtype=np.float64)
    # In units of 1 / (few · many) all differences are whole numbers.
    reached = np.ceil(distance * few * many - 1e-7 * max(1.0, distance * few * many))
    inside = np.zeros(few + 1)
    inside[0] = 1.0
    for step in range(1, few + many + 1):
        other = step - at
        moved = np.concatenate([[0.0], inside[:-1]]) * at / step + inside * other / step
        held = (other >= 0) & (other <= many) & (np.abs(at * many - other * few) < reached)
        inside = np.where(held, moved, 0.0)
    return float(min(1.0, max(0.0, 1 - inside[few])))


def dealt(baseline: Floats, current: Floats, *, rounds: int, seed: int) -> tuple[Floats, Floats]:
    """What chance alone would show: the events of both sides, dealt out anew so many times; shapes (rounds, B).

    By permutation, counts taken as whole numbers; of more events than a double tells apart, by drawing both from what they share.
    """
    dice = np.random.default_rng(seed)
    both = np.rint(baseline + current).astype(np.int64)
    n = int(min(both.sum(), np.rint(baseline.sum())))
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
