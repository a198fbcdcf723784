"""What many pairs of histograms over the same bins say, all at once: every index and the likelihood ratio. Pure.

The formulas are those of ``indices``, said again for speed: bins first, so that numpy works along series, and in buffers that
are used again, so that everything stays in the processor's cache. A test holds one against the other. What is said of a series
does not depend on which others are worked on beside it, to the last digit: a look that is repeated writes the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.joining import join, needed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = indices.LEAST
NARROW = 8
"""Fewer series than this are worked on beside empty ones: numpy adds up a single one in another order, which rounds otherwise."""


class Buffers:
    """Room for eight tables of bins × series; one thread's own."""

    def __init__(self, bins: int, series: int) -> None:
        self._room = np.empty((8, bins, max(series, NARROW)))

    def take(self, series: int) -> Sequence[Floats]:
        return list(self._room[:, :, : max(series, NARROW)])


@dataclass(frozen=True, slots=True)
class Figures:
    """Of each of S series; NaN where an index says nothing: of no events, or without edges."""

    n: Floats
    m: Floats
    g: Floats
    """Of the likelihood ratio over the bins that are full enough, by Williams."""
    bins: Ints
    """So many; below 2 G says nothing."""
    held: Ints
    """Bins that either side has anything in."""
    values: dict[str, Floats]
    ks_error: Floats
    first: Floats
    """Share of the current events in the first bin."""
    last: Floats


def figures(baseline: Floats, current: Floats, widths: Floats | None, buffers: Buffers) -> Figures:
    """Counts of shape (S, B); ``widths`` of ``indices.widths``, None of classes."""
    series = len(current)
    b, c, p, q, apart, x, y, z = buffers.take(series)
    m, n = _into(b, baseline), _into(c, current)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(b, m, out=p)
        np.divide(c, n, out=q)
        np.subtract(p, q, out=apart)
        told = (n > 0) & (m > 0)
        nothing = np.full(len(m), np.nan)
        values, error = {"ks": nothing, "wasserstein": nothing}, nothing
        if widths is not None:
            _steps(apart, z)
            values["ks"], error = _ks(p, q, z, x)
            values["wasserstein"] = _wasserstein(z, widths, x, y)
        values["js"] = _js(p, q, apart, x, y)
        values["hellinger"] = _hellinger(p, q, x, y)
        first, last = q[0].copy(), q[-1].copy()
        chi2, held = _chi2(b, c, apart, x)
        values["chi2"] = np.where(told, chi2 * n * m, np.nan)
        values["psi"] = np.where(told, _psi(b, c, (m, n), (x, y, z)), np.nan)
        bins = join(b, c, needed(n, m))
        g = _williams(_likelihood(b, c, (m, n), (x, z)), x, (m, n), bins)
    cut = slice(0, series)
    return Figures(
        n[cut],
        m[cut],
        g[cut],
        np.where(told, bins, 0)[cut],
        held[cut],
        {name: found[cut] for name, found in values.items()},
        error[cut],
        first[cut],
        last[cut],
    )


def likelihood(baseline: Floats, current: Floats, buffers: Buffers) -> tuple[Floats, Ints]:
    """G of each series by Williams over the bins that are full enough, and their number: below 2 it says nothing; shapes (S,)."""
    series = len(current)
    b, c, x, z, *_ = buffers.take(series)
    m, n = _into(b, baseline), _into(c, current)
    with np.errstate(divide="ignore", invalid="ignore"):
        bins = join(b, c, needed(n, m))
        g = _williams(_likelihood(b, c, (m, n), (x, z)), x, (m, n), bins)
    return g[:series], np.where((n > 0) & (m > 0), bins, 0)[:series]


def _into(table: Floats, counts: Floats) -> Floats:
    """Turned round into a table; its sums."""
    table[:, len(counts) :] = 0.0
    np.copyto(table[:, : len(counts)], counts.T)
    return np.asarray(table.sum(axis=0))


def _steps(apart: Floats, z: Floats) -> None:
    """F - G at the upper edge of every bin into z, row by row: numpy's own running sum takes each series alone, and is slower."""
    z[0] = apart[0]
    for at in range(1, len(z)):
        np.add(z[at - 1], apart[at], out=z[at])
    z[-1] *= 0.0


def _ks(p: Floats, q: Floats, z: Floats, x: Floats) -> tuple[Floats, Floats]:
    distance = np.maximum(z.max(axis=0), -z.min(axis=0))
    most = np.add(z, q, out=x).max(axis=0)
    np.maximum(most, np.subtract(p, z, out=x).max(axis=0), out=most)
    return distance, np.minimum(1.0, most) - distance


def _wasserstein(z: Floats, widths: Floats, x: Floats, y: Floats) -> Floats:
    np.absolute(z, out=x)
    y[0] = x[0]
    np.add(x[1:], x[:-1], out=y[1:])
    x[0] *= 0.0
    np.minimum(np.multiply(z[1:], z[:-1], out=x[1:]), 0.0, out=x[1:])
    np.divide(x, np.maximum(y, LEAST, out=z), out=x)
    x *= 2
    x += y
    x *= widths[:, None]
    return np.asarray(x.sum(axis=0) / 2)


def _js(p: Floats, q: Floats, apart: Floats, x: Floats, y: Floats) -> Floats:
    np.maximum(np.add(p, q, out=x), LEAST, out=x)
    np.divide(apart, x, out=x)
    np.add(x, 1.0, out=y)
    np.subtract(1.0, x, out=x)
    for side, share in ((y, p), (x, q)):
        np.log(np.maximum(side, LEAST, out=side), out=side)
        np.multiply(side, share, out=side)
    y += x
    return np.asarray(np.sqrt(np.maximum(y.sum(axis=0) / 2, 0.0)))


def _hellinger(p: Floats, q: Floats, x: Floats, y: Floats) -> Floats:
    np.subtract(np.sqrt(p, out=x), np.sqrt(q, out=y), out=x)
    x *= x
    return np.asarray(np.sqrt(x.sum(axis=0) / 2))


def _chi2(b: Floats, c: Floats, apart: Floats, x: Floats) -> tuple[Floats, Ints]:
    """χ² over n·m, and bins that hold anything; nothing is left of ``apart``."""
    np.add(b, c, out=x)
    held = np.count_nonzero(x, axis=0)
    apart *= apart
    apart /= np.maximum(x, LEAST, out=x)
    return np.asarray(apart.sum(axis=0)), held


def _psi(b: Floats, c: Floats, sizes: tuple[Floats, Floats], room: tuple[Floats, Floats, Floats]) -> Floats:
    x, y, z = room
    for side, counts, size in ((x, b, sizes[0]), (y, c, sizes[1])):
        np.add(counts, indices.HALF, out=side)
        np.divide(side, size + indices.HALF * len(b), out=side)
    np.subtract(y, x, out=z)
    np.log(np.divide(y, x, out=y), out=y)
    y *= z
    return np.asarray(y.sum(axis=0))


def _likelihood(b: Floats, c: Floats, sizes: tuple[Floats, Floats], room: tuple[Floats, Floats]) -> Floats:
    """G = 2·Σ count·ln(count / expected); leaves 1 / (b + c) of each bin in the first of the room, 0 of an empty one."""
    inverse, z = room
    m, n = sizes
    np.add(b, c, out=z)
    np.multiply(z, z, out=inverse)
    inverse += LEAST
    np.divide(z, inverse, out=inverse)
    g = -(m * np.log(m / (n + m)) + n * np.log(n / (n + m)))
    for counts in (b, c):
        np.maximum(np.multiply(counts, inverse, out=z), LEAST, out=z)
        np.multiply(counts, np.log(z, out=z), out=counts)
    b += c
    g += b.sum(axis=0)
    g *= 2
    return np.asarray(g)


def _williams(g: Floats, inverse: Floats, sizes: tuple[Floats, Floats], bins: Ints) -> Floats:
    m, n = sizes
    total, degrees = n + m, np.maximum(bins - 1, 1)
    factor = 1 + (total / n + total / m - 1) * (total * inverse.sum(axis=0) - 1) / (6 * total * degrees)
    return np.asarray(np.maximum(0.0, g / factor))
