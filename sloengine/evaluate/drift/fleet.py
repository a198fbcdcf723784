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

from sloengine.evaluate.drift import indices, many

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POWER = 0.8
"""Probability with which the smallest detectable effect would be found."""
ROWS = 1024
"""Series worked on at once: what they need stays in the processor's cache."""
PIECES_MIN = 8
"""Fewer pieces are not worth threads."""
THREADS = 2
"""Between numpy's steps threads wait for the interpreter: three are slower than two."""
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
    """Every figure of every series of a block."""
    pieces = [slice(at, at + ROWS) for at in range(0, max(len(block.current), 1), ROWS)]
    if len(pieces) < PIECES_MIN:
        return joined(_pieces(block, pieces))
    shares = [pieces[at::THREADS] for at in range(THREADS)]
    # numpy lets go of the interpreter while it works.
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(lambda share: _pieces(block, share), shares))
    return joined([found[at % THREADS][at // THREADS] for at in range(len(pieces))])


def _pieces(block: Block, pieces: Sequence[slice]) -> list[Readings]:
    buffers = many.Buffers(block.current.shape[1], min(ROWS, len(block.current)))
    widths = None if block.edges is None else indices.widths(block.edges)
    return [_part(block.part(rows), widths, buffers) for rows in pieces]


def joined(parts: Sequence[Readings]) -> Readings:
    """The readings of blocks one behind the other."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    return Readings(**arrays, values=values)


def _part(block: Block, widths: Floats | None, buffers: many.Buffers) -> Readings:
    found = many.figures(block.baseline, block.current, widths, buffers)
    edges, nothing = block.edges, np.full(len(found.n), np.nan)
    inflation = block.inflation if block.joined is None else block.joined
    return Readings(
        n=found.n,
        m=found.m,
        bins=found.bins,
        p=_surprise(found.g / inflation, found.bins, block.freedom),
        inflation=block.inflation,
        joined=inflation,
        values=found.values,
        ks_error=found.ks_error,
        below=found.first if edges is not None and np.isneginf(edges[0]) else nothing,
        above=found.last if edges is not None and np.isposinf(edges[-1]) else nothing,
        held=found.held,
    )


def _surprise(size: Floats, bins: Ints, freedom: Floats) -> Floats:
    """p of the inflated G over so many bins; NaN where there are fewer than two."""
    degrees = np.maximum(bins - 1, 1)
    p = special.chdtrc(degrees, size)
    few = np.isfinite(freedom)
    p[few] = special.fdtrc(degrees[few], np.maximum(freedom[few], 1.0), size[few] / degrees[few])
    return np.where(bins > 1, p, np.nan)


def likelihood(baseline: Floats, current: Floats) -> tuple[Floats, Ints]:
    """Of each series G by Williams over the bins that are full enough, and their number: below 2 it says nothing; shapes (S,)."""
    buffers = many.Buffers(current.shape[1], min(ROWS, len(current)))
    size, bins = np.zeros(len(current)), np.zeros(len(current), dtype=np.int64)
    for at in range(0, len(current), ROWS):
        rows = slice(at, at + ROWS)
        size[rows], bins[rows] = many.likelihood(baseline[rows], current[rows], buffers)
    return size, bins
