"""Counts of many slices over the same windows at once, as columns. Pure.

A thousand SLOs in eight windows are eight thousand counts: as objects they cost a hundred times what their sums cost. So sums,
policies and bounds are worked out over arrays, and only what is shown becomes a :class:`Counts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.cube import Cube, Slice
from sloengine.model import Counts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CELLS = 100_000
"""Keys that are summed at once: what is in between stays small, however many keys the slices share."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The keys of many slices, one slice after the other."""

    places: NDArray[np.int32]
    """Shape (cells,): a cell is a key in a slice."""
    shares: NDArray[np.int8]
    """Shape (3, cells): good, bad, unknown."""
    starts: NDArray[np.intp]
    """Shape (slices,): each one's first cell; it has at least one."""

    def pieces(self) -> list[tuple[slice, slice]]:
        """Slices and their cells, about ``CELLS`` at a time."""
        ends = np.append(self.starts[1:], len(self.places))
        out, first = [], 0
        while first < len(self.starts):
            begin = int(self.starts[first])
            last = max(first + 1, int(np.searchsorted(ends, begin + CELLS, side="right")))
            out.append((slice(first, last), slice(begin, int(ends[last - 1]))))
            first = last
        return out


def stacked(slices: Sequence[Slice]) -> Stack:
    """Slices, each with at least one key, ready to be summed together."""
    lengths = np.array([len(slice_.places) for slice_ in slices], dtype=np.intp)
    if not lengths.size:
        return Stack(np.zeros(0, np.int32), np.zeros((3, 0), np.int8), lengths)
    places = np.concatenate([slice_.places for slice_ in slices])
    shares = np.concatenate([slice_.shares for slice_ in slices], axis=1)
    return Stack(places, shares, np.cumsum(lengths) - lengths)


@dataclass(frozen=True, slots=True)
class Tally:
    """What :class:`Counts` holds, of many slices in the same windows: each of shape (slices, windows)."""

    good: Floats
    bad: Floats
    unknown: Floats
    good_squares: Floats
    bad_squares: Floats
    bridged: Floats
    shifted: Floats
    sampled: Bools
    """Where not, squares equal the sums."""

    def column(self, window: int) -> list[Counts]:
        """Each slice's counts in one window."""
        good, bad, unknown, good_squares, bad_squares, bridged, shifted = (
            numbers(getattr(self, name)[:, window]) for name in FIGURES
        )
        if not self.sampled[:, window].any() and not any(bridged) and not any(shifted):
            return [Counts(*sums) for sums in zip(good, bad, unknown, strict=True)]
        return [
            Counts(g, b, u, 0.0, g2 if weighed else None, b2 if weighed else None, across, moved)
            for g, b, u, g2, b2, across, moved, weighed in zip(
                good, bad, unknown, good_squares, bad_squares, bridged, shifted, self.sampled[:, window], strict=True
            )
        ]

    def counts(self) -> list[list[Counts]]:
        """Of each slice, its counts in each window."""
        columns = [self.column(window) for window in range(self.good.shape[1])]
        return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in self.good]


FIGURES = tuple(field.name for field in fields(Tally))[:-1]


def _tallied(figures: Floats, sampled: Bools) -> Tally:
    """From an array of shape (figures, slices, windows)."""
    return Tally(**dict(zip(FIGURES, figures, strict=True)), sampled=sampled)


def numbers(values: Floats) -> list[float]:
    """Plain numbers, whole ones as int: people read them as counts."""
    if np.array_equal(values, np.rint(values)) and np.abs(values).max(initial=0.0) < 2**62:
        whole: list[float] = values.astype(np.int64).tolist()
        return whole
    return [int(value) if value.is_integer() else value for value in values.tolist()]


def tally_of(rows: Sequence[Sequence[Counts]]) -> Tally:
    """From the counts of each slice in each window, the same windows for all."""
    shape = (len(rows), len(rows[0]) if rows else 0)
    listed = [counts for row in rows for counts in row]
    figures = np.array(
        [(c.good, c.bad, c.unknown, *c.squares, c.bridged, c.shifted) for c in listed], dtype=np.float64
    ).reshape(*shape, len(FIGURES))
    sampled = np.array([c.sampled for c in listed], dtype=np.bool_).reshape(shape)
    return _tallied(np.moveaxis(figures, -1, 0), sampled)


def tally(cube: Cube, stack: Stack, masks: Floats) -> Tally:
    """Counts of each slice for each row of ``masks`` (windows, bands), whose cells say which bands belong to the window."""
    shape = (len(stack.starts), len(masks))
    figures = np.zeros((len(FIGURES), *shape))
    sampled = np.zeros(shape, dtype=np.bool_)
    table = cube.windows(masks)
    plain = cube.plain_keys()
    for slices, cells in stack.pieces():
        places, shares = stack.places[cells], stack.shares[:, cells]
        starts = stack.starts[slices] - cells.start
        if plain[places].all():
            # Nearly all slices: three of the figures say everything.
            figures[:3, slices] = _each(shares, table[0, places], starts)
            figures[3:5, slices] = figures[:2, slices]
        else:
            figures[:, slices], sampled[slices] = _weighed(shares, table[:, places], starts)
    return _tallied(figures, sampled)


def _each(shares: NDArray[np.int8], events: Floats, starts: NDArray[np.intp]) -> Floats:
    """Sums per slice for each row of shares; shape (rows, slices, windows)."""
    return _tidy(np.array([np.add.reduceat(row[:, np.newaxis] * events, starts) for row in shares]))


def _weighed(shares: NDArray[np.int8], table: Floats, starts: NDArray[np.intp]) -> tuple[Floats, Bools]:
    """All figures per slice, and where they are estimates. ``table``: shape (figures of the cube, cells, windows)."""
    events, squares, unweighted, bridged, shifted = table
    sides = np.abs(shares[:2])
    good, bad, unknown = _each(shares, events, starts)
    either = sides.sum(axis=0, dtype=np.int8)[np.newaxis]
    ones = np.ones_like(either)
    # A span of unknown weight may be any of the slice's: it is unknown whatever it was.
    unknown = unknown + _each(ones, unweighted, starts)[0]
    good_squares, bad_squares = _each(sides, squares, starts)
    marks = [_each(either, mark, starts)[0] for mark in (bridged, shifted)]
    sampled = np.logical_or.reduceat((events != squares).any(axis=1), starts)[:, np.newaxis]
    # Where nothing is left after a subtraction, nothing is known of its weight either.
    good_squares = np.where(sampled, np.where(good != 0, good_squares, 0.0), good)
    bad_squares = np.where(sampled, np.where(bad != 0, bad_squares, 0.0), bad)
    figures = np.array([good, bad, unknown, good_squares, bad_squares, *marks])
    return figures, np.broadcast_to(sampled, good.shape)


def _tidy(values: Floats) -> Floats:
    """To a millionth, and not negative, where two metrics that don't fit together were subtracted."""
    whole = np.rint(values)
    near = np.where(np.abs(values - whole) < 5e-7, whole, np.round(values, 6))
    return np.maximum(near, 0.0)


def sums(cube: Cube, slice_: Slice, masks: Floats) -> list[Counts]:
    """:func:`tally` of one slice: its counts in each window."""
    return tally(cube, stacked([slice_]), masks).counts()[0]


def over_policy(found: Tally, as_good: Bools, as_bad: Bools) -> Tally:
    """What can't be told counts as good or as bad for the slices that say so; each of shape (slices,)."""
    if not (as_good.any() or as_bad.any()):
        return found
    good = found.good + found.unknown * as_good[:, np.newaxis]
    bad = found.bad + found.unknown * as_bad[:, np.newaxis]
    return replace(
        found,
        good=good,
        bad=bad,
        good_squares=np.where(found.sampled, found.good_squares + found.unknown * as_good[:, np.newaxis], good),
        bad_squares=np.where(found.sampled, found.bad_squares + found.unknown * as_bad[:, np.newaxis], bad),
    )
