"""A fleet's histograms against their baselines: how large, how surprising, what was too small to see. Pure.

Significance is that of the likelihood ratio (G-test of homogeneity, Wilks 1938), because a fleet asks for p-values of 1e-9: its
tail falls as that of χ² does however far out, by the method of types, while Pearson's and PSI's are far too heavy there.
Neighbouring bins are joined until the baseline expects five events in each at the smaller sample (Cochran 1954), by the baseline
alone, so that what is seen now cannot choose its own bins; Williams's factor (1976) takes away what is left of G's bias.

Events of an hour are not independent: a scene lasts, a shift begins. How much more the baseline's own hours vary than chance
would make them, its inflation, divides G; estimated from few hours it makes p that of F instead of χ² (quasi-likelihood,
McCullagh & Nelder 1989, section 9.2; for contingency tables Rao & Scott 1981). What varies along the score moves neighbours
together: joined, they keep all of it on fewer degrees of freedom, while chance leaves them in proportion. So that of G is
estimated over joined bins, as looks join them, and that of indices over all bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special  # type: ignore[import-untyped]

from sloengine.evaluate.drift import indices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXPECTED_MIN = 5.0
"""Events that the baseline must expect in a bin."""
POWER = 0.8
"""Probability with which the smallest detectable effect would be found."""
ROWS = 1024
"""Series worked on at once: what they need stays in the processor's cache."""
PIECES_MIN = 8
"""Fewer pieces are not worth threads."""
KOLMOGOROV_SQUARE = np.pi**2 / 12
"""Mean of the square of Kolmogorov's distribution."""


@dataclass(frozen=True, slots=True)
class Block:
    """S series over the same B bins, in order."""

    baseline: Floats
    """Counts, shape (S, B)."""
    current: Floats
    edges: Floats | None
    """Shape (B + 1,); None of classes."""
    inflation: Floats
    """Shape (S,), 1 or more: variance of counts from hour to hour over what chance makes it."""
    freedom: Floats
    """Shape (S,): degrees of freedom behind the inflation; infinite if it is known."""
    joined: Floats | None = None
    """Shape (S,): inflation over bins that are joined until they are full; None: as over all."""

    @classmethod
    def plain(cls, baseline: Floats, current: Floats, edges: Floats | None = None) -> Block:
        """Of events that are independent."""
        size = len(baseline)
        return cls(baseline, current, edges, np.ones(size), np.full(size, np.inf))

    def part(self, rows: slice) -> Block:
        joined = None if self.joined is None else self.joined[rows]
        return Block(
            self.baseline[rows], self.current[rows], self.edges, self.inflation[rows], self.freedom[rows], joined
        )


@dataclass(frozen=True, slots=True)
class Readings:
    """Of each of S series; NaN where an index does not apply or nothing can be said."""

    n: Floats
    """Events now."""
    m: Floats
    """Events of the baseline."""
    bins: Ints
    """Bins full enough to tell anything; below 2 nothing can be told."""
    p: Floats
    inflation: Floats
    joined: Floats
    """Inflation over the bins that are full enough."""
    values: dict[str, Floats] = field(repr=False)
    """By index, over all bins as they are: what anyone gets from these counts."""
    ks_error: Floats = field(repr=False)
    """By how much KS of the values may lie above that of the bins."""
    below: Floats = field(repr=False)
    """Share of the current events in the first bin, open below; NaN where it is not open."""
    above: Floats = field(repr=False)
    held: Ints = field(repr=False)
    """Bins that either side has anything in."""

    def at(self, places: Ints) -> Readings:
        """Of some series, in this order."""
        arrays = {name: getattr(self, name)[places] for name in _ARRAYS}
        return Readings(**arrays, values={name: values[places] for name, values in self.values.items()})

    def _scatter(self, inflation: Floats) -> Floats:
        """What chance makes of a divergence for each degree of freedom: inflation · (1/n + 1/m); endless of nothing."""
        with np.errstate(divide="ignore"):
            return np.asarray(inflation * (1 / self.n + 1 / self.m))

    def effect(self, index: str) -> Floats:
        """The index as it would be of endless events, shape (S,)."""
        return without_chance(index, self.values[index], self.held, self._scatter(self.inflation))

    def smallest_psi(self, alpha: float) -> Floats:
        """PSI that a test at ``alpha`` finds with probability POWER, shape (S,); NaN where nothing could be told."""
        needed = np.array(
            [np.nan, np.nan, *(_noncentrality(k, alpha) for k in range(2, int(self.bins.max(initial=1)) + 1))]
        )
        return np.asarray(needed[self.bins] * self._scatter(self.joined))


_ARRAYS = ("n", "m", "bins", "p", "inflation", "joined", "ks_error", "below", "above", "held")


def without_chance(index: str, value: Floats, held: Ints, scatter: Floats) -> Floats:
    """An index over so many bins without what chance adds on average; not below 0.

    PSI, 8·JS² and 8·H² of B bins are (B - 1)·(1/n + 1/m) without drift, KS² is π²/12·(1/n + 1/m); inflated all of them.
    Wasserstein's is left as it is.
    """
    match index:
        case "psi":
            return np.maximum(0.0, value - (held - 1) * scatter)
        case "js" | "hellinger":
            return np.sqrt(np.maximum(0.0, value**2 - (held - 1) * scatter / 8))
        case "ks":
            return np.sqrt(np.maximum(0.0, value**2 - KOLMOGOROV_SQUARE * scatter))
        case _:
            return value


@cache
def _noncentrality(bins: int, alpha: float) -> float:
    """Of χ² with so many bins less one degrees of freedom, at which it exceeds the critical value with probability POWER."""
    freedom, most = bins - 1, 10.0
    critical = float(special.chdtri(freedom, alpha))

    def missed(noncentrality: float) -> float:
        return float(special.chndtr(critical, freedom, noncentrality)) - (1 - POWER)

    while missed(most) > 0:
        most *= 2
    return float(optimize.brentq(missed, 1e-9, most))


def read(block: Block) -> Readings:
    """Every figure of every series of a block; on as many processors as there are."""
    pieces = [slice(at, at + ROWS) for at in range(0, max(len(block.current), 1), ROWS)]

    def part(rows: slice) -> Readings:
        return _part(block.part(rows))

    if len(pieces) < PIECES_MIN:
        return joined([part(rows) for rows in pieces])
    # numpy lets go of the interpreter while it works.
    with ThreadPoolExecutor() as threads:
        return joined(list(threads.map(part, pieces)))


def joined(parts: Sequence[Readings]) -> Readings:
    """The readings of blocks one behind the other."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    return Readings(**arrays, values=values)


def _part(block: Block) -> Readings:
    base, now, edges = block.baseline, block.current, block.edges
    m, n = base.sum(axis=1), now.sum(axis=1)
    p, bins = _surprise(block, n, m)
    nothing = np.full(len(base), np.nan)
    with np.errstate(invalid="ignore"):
        told = indices.Shares.of(base, now)
        chi2, freedom = indices.chi2_of(told, base, now)
        values = {
            "psi": np.where((n > 0) & (m > 0), indices.psi(base, now), np.nan),
            "js": np.where((n > 0) & (m > 0), indices.js_of(told), np.nan),
            "hellinger": indices.hellinger_of(told),
            "chi2": np.where((n > 0) & (m > 0), chi2, np.nan),
            "ks": nothing if edges is None else np.where((n > 0) & (m > 0), indices.ks_of(told), np.nan),
            "wasserstein": nothing if edges is None else indices.wasserstein_of(told, edges),
        }
        hidden = indices.ks_most_of(told) - values["ks"]
    return Readings(
        n=n,
        m=m,
        bins=bins,
        p=p,
        inflation=block.inflation,
        joined=block.inflation if block.joined is None else block.joined,
        values=values,
        ks_error=hidden,
        below=told.q[:, 0] if edges is not None and np.isneginf(edges[0]) else nothing,
        above=told.q[:, -1] if edges is not None and np.isposinf(edges[-1]) else nothing,
        held=freedom + 1,
    )


def _surprise(block: Block, n: Floats, m: Floats) -> tuple[Floats, Ints]:
    """p of the inflated G over bins that are full enough, and their number; NaN where there are fewer than two."""
    size, bins = _likelihood(block.baseline, block.current, n, m)
    size /= block.inflation if block.joined is None else block.joined
    degrees = np.maximum(bins - 1, 1)
    p = special.chdtrc(degrees, size)
    few = np.isfinite(block.freedom)
    p[few] = special.fdtrc(degrees[few], np.maximum(block.freedom[few], 1.0), size[few] / degrees[few])
    return np.where(bins > 1, p, np.nan), bins


def likelihood(baseline: Floats, current: Floats) -> tuple[Floats, Ints]:
    """Of each series G by Williams over the bins that are full enough, and their number: below 2 it says nothing; shapes (S,)."""
    size, bins = np.zeros(len(current)), np.zeros(len(current), dtype=np.int64)
    for at in range(0, len(current), ROWS):
        rows = slice(at, at + ROWS)
        b, c = baseline[rows], current[rows]
        size[rows], bins[rows] = _likelihood(b, c, c.sum(axis=1), b.sum(axis=1))
    return size, bins


def _likelihood(baseline: Floats, current: Floats, n: Floats, m: Floats) -> tuple[Floats, Ints]:
    groups, bins = grouped(baseline, n, m)
    whole = bool(np.all(bins == baseline.shape[1]))
    b, c = (baseline, current) if whole else _summed(groups, baseline, current)
    both = b + c
    cells = _xlogx(b)
    cells += _xlogx(c)
    cells -= _xlogx(both)
    g = 2 * (np.sum(cells, axis=1) - _xlogx(n) - _xlogx(m) + _xlogx(n + m))
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.sum(np.divide(1.0, both, out=both, where=both > 0), axis=1)
        total, degrees = n + m, np.maximum(bins - 1, 1)
        williams = 1 + (total / n + total / m - 1) * (total * inverse - 1) / (6 * total * degrees)
        size = np.maximum(0.0, g / williams)
    return size, np.where((n > 0) & (m > 0), bins, 0)


def grouped(base: Floats, n: Floats, m: Floats) -> tuple[Ints, Ints]:
    """To which joined bin each bin belongs, shape (S, B), and how many there are, (S,); what is left over joins the last."""
    few = np.minimum(n, m)
    need = np.divide(EXPECTED_MIN * m, few, out=np.full(len(base), np.inf), where=few > 0)
    # Bins first: what is added up lies side by side.
    bins, groups = np.ascontiguousarray(base.T), np.empty(base.T.shape, dtype=np.int64)
    held, done = np.zeros(len(base)), np.zeros(len(base), dtype=np.int64)
    full = np.zeros(len(base), dtype=bool)
    for own, group in zip(bins, groups, strict=True):
        group[:] = done
        held += own
        np.greater_equal(held, need, out=full)
        done += full
        np.copyto(held, 0.0, where=full)
    np.minimum(groups, np.maximum(done - 1, 0), out=groups)
    return np.ascontiguousarray(groups.T), done


def full_bins(baseline: Floats, current: Floats) -> tuple[Floats, Floats]:
    """One pair's bins joined until they are full, shapes (k,); none if there are too few events for one."""
    base, now = baseline[None, :], current[None, :]
    groups, bins = grouped(base, now.sum(axis=1), base.sum(axis=1))
    size = int(bins[0])
    joined = _summed(groups, base, now)
    return joined[0][0, :size], joined[1][0, :size]


def _summed(groups: Ints, *sides: Floats) -> list[Floats]:
    """Counts of each side joined as the groups say; shapes (S, B), those that are not used are 0."""
    size, bins = groups.shape
    flat = (groups + np.arange(size)[:, None] * bins).ravel()
    found = (np.bincount(flat, weights=counts.ravel(), minlength=groups.size) for counts in sides)
    return [np.asarray(counts, dtype=np.float64).reshape(size, bins) for counts in found]


def _xlogx(x: Floats) -> Floats:
    """x·ln x, 0 at 0; a third of the time of ``special.xlogy``."""
    found = np.maximum(x, indices.LEAST)
    np.log(found, out=found)
    found *= x
    return np.asarray(found)
