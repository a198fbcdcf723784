"""Bins that a baseline is pinned to, and how histograms over other bins go into them. Pure.

Bins are only ever joined. A bucket that no pinned bin holds as a whole has no place: its events are counted as unplaced, and a
series with too many of them is refused instead of being compared over bins that it was not counted in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift.histogram import Floats, bound

Ints = NDArray[np.int64]

BINS_MAX = 64
"""Pinned bins of an exponential histogram: finer ones are joined, for more say little and cost each series."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Buckets that some histograms were counted in; exponential ones of one scale, explicit ones of the same bounds."""

    scale: int
    bounds: tuple[float, ...] = ()
    """Explicit; empty: exponential."""
    positive: tuple[int, int] = (0, -1)
    """First and last index of positive buckets that any of them has."""
    negative: tuple[int, int] = (0, -1)
    events: float = 0.0

    @property
    def exponential(self) -> bool:
        return not self.bounds

    @property
    def buckets(self) -> int:
        """How many, the one of zero included."""
        if self.bounds:
            return len(self.bounds) + 1
        return self.positive[1] - self.positive[0] + self.negative[1] - self.negative[0] + 3

    @property
    def edges(self) -> Floats:
        """Shape (buckets + 1,), rising. The bucket of zero reaches from the last negative bucket to the first positive one."""
        if self.bounds:
            return np.array([-np.inf, *self.bounds, np.inf])
        low, high = self.positive
        near, far = self.negative
        below = [-bound(i, self.scale) for i in range(far + 1, near - 1, -1)] if far >= near else [-np.inf]
        above = [bound(i, self.scale) for i in range(low, high + 2)] if high >= low else [np.inf]
        return np.array([*below, *above])


def spanning(shape: Shape, edges: Floats) -> Shape:
    """An exponential shape made wide enough that its bucket of zero lies within one pinned bin.

    What a histogram has no bucket for it has no events in, so that buckets may be added as long as they are empty.
    """
    if not shape.exponential:
        return shape
    positive = _wider(shape.positive, edges[np.isfinite(edges) & (edges > 0)], shape.scale)
    negative = _wider(shape.negative, -edges[np.isfinite(edges) & (edges < 0)], shape.scale)
    return Shape(shape.scale, (), positive, negative, shape.events)


def _wider(span: tuple[int, int], bounds: Floats, scale: int) -> tuple[int, int]:
    if not bounds.size:
        return span
    first = int(np.floor(np.log2(bounds.min()) * 2.0**scale + 1e-9))
    return (min(span[0], first), max(span[1], first)) if span[1] >= span[0] else (first, first)


def pinned(shapes: Sequence[Shape]) -> Floats:
    """Edges to pin a baseline to: those that most of its events were counted in; open at both ends.

    Exponential buckets of several scales by the coarsest that holds a tenth of the events, joined until BINS_MAX hold them.
    """
    most = max(shapes, key=lambda s: s.events)
    if most.bounds:
        return most.edges
    alike = [s for s in shapes if s.exponential and 10 * s.events >= most.events]
    scale = min(s.scale for s in alike)
    spans = [(_at(s.positive, s.scale - scale), _at(s.negative, s.scale - scale)) for s in alike]
    positive, negative = _union([p for p, _ in spans]), _union([n for _, n in spans])
    by = 0
    while _length(_at(positive, by)) + _length(_at(negative, by)) > BINS_MAX - 3:
        by += 1
    edges = Shape(scale - by, (), _at(positive, by), _at(negative, by)).edges
    inner = edges[np.isfinite(edges)]
    return np.array([-np.inf, *inner, np.inf])


def _at(span: tuple[int, int], by: int) -> tuple[int, int]:
    return (span[0] >> by, span[1] >> by) if _length(span) else span


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0] + 1


def _union(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    held = [span for span in spans if _length(span)]
    return (min(first for first, _ in held), max(last for _, last in held)) if held else (0, -1)


def places(edges: Floats, onto: Floats) -> Ints:
    """For each bucket between ``edges`` the pinned bin between ``onto`` that holds all of it, or -1; shape (buckets,)."""
    lower = np.searchsorted(onto, edges[:-1], side="right") - 1
    upper = np.searchsorted(onto, edges[1:], side="left") - 1
    return np.where(lower == upper, lower, -1)


def placed(counts: Floats, at: Ints, bins: int) -> tuple[Floats, Floats]:
    """Counts of shape (S, buckets) in the pinned bins, (S, bins), and how many events of each series have no place, (S,)."""
    if len(at) == bins and np.array_equal(at, np.arange(bins)):
        return counts, np.zeros(len(counts))
    joined = np.zeros((len(counts), bins))
    for bucket, place in enumerate(at):
        if place >= 0:
            joined[:, place] += counts[:, bucket]
    return joined, counts[:, at < 0].sum(axis=1)
