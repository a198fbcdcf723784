"""Histograms as OpenTelemetry carries them, brought to bins that two of them share. Pure.

Source: OpenTelemetry metrics data model. Explicit buckets include their upper bound, (b[i-1], b[i]]; exponential bucket i of
scale s is (2^(i·2^-s), 2^((i+1)·2^-s)], mirrored for negative values, beside a bucket of zero that holds |x| <= zero_threshold. A
scale is made coarser by k exactly, index >> k. Bins are only ever joined, never split: what two histograms share
is exact, or they are not compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCALE_MIN, SCALE_MAX = -10, 20
"""Scales that the data model knows."""
INDEX_MAX = 2**31
BUCKETS_MAX = 320
"""Buckets of one sign that two exponential histograms are compared over: joined until they fit."""


class Unusable(ValueError):
    """A histogram that says nothing, or two that can't be compared; the message says why."""


@dataclass(frozen=True, slots=True)
class Binned:
    """Counts between edges: bin i is (edges[i], edges[i + 1]], shapes (B + 1,) and (B,); outer edges may be infinite."""

    edges: Floats
    counts: Floats

    def over(self, edges: Floats) -> Binned:
        """Joined to some of its own edges, the outer two among them."""
        below = np.concatenate([[0.0], np.cumsum(self.counts)])
        return Binned(edges, np.diff(below[np.searchsorted(self.edges, edges)]))


@dataclass(frozen=True, slots=True)
class Buckets:
    """One sign of an exponential histogram: ``counts[i]`` belongs to index ``offset + i``."""

    offset: int = 0
    counts: tuple[float, ...] = ()

    @property
    def held(self) -> dict[int, float]:
        return {self.offset + i: count for i, count in enumerate(self.counts) if count}


@dataclass(frozen=True, slots=True)
class Exponential:
    scale: int
    zero_count: float = 0.0
    zero_threshold: float = 0.0
    positive: Buckets = field(default_factory=Buckets)
    negative: Buckets = field(default_factory=Buckets)


Histogram = Binned | Exponential | Mapping[str, float]
"""What can be compared: numbers in bins, or counts of categories."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two histograms over the same bins."""

    baseline: Floats
    current: Floats
    edges: Floats | None
    """Shape (B + 1,); None of categories."""
    labels: tuple[str, ...] = ()
    note: str = ""
    """What was joined to make them comparable."""

    @property
    def bins(self) -> int:
        return len(self.baseline)


def explicit(bounds: Sequence[float], counts: Sequence[float]) -> Binned:
    """An explicit-bucket histogram; raises Unusable with the place of what is wrong."""
    inner = np.asarray(bounds, dtype=np.float64)
    if not inner.size:
        raise Unusable("bounds are empty: without one a histogram tells of no distribution")
    if not np.all(np.isfinite(inner)):
        place = int(np.flatnonzero(~np.isfinite(inner))[0])
        raise Unusable(f"bounds[{place}] is {inner[place]}; bounds must be finite, the open ends are implied")
    falls = np.flatnonzero(np.diff(inner) <= 0)
    if falls.size:
        place = int(falls[0]) + 1
        raise Unusable(f"bounds[{place}] is {inner[place]:g} after {inner[place - 1]:g}; bounds must rise")
    if len(counts) != len(bounds) + 1:
        raise Unusable(f"{len(counts)} counts do not go with {len(bounds)} bounds; there must be one more than bounds")
    return Binned(np.concatenate([[-np.inf], inner, [np.inf]]), checked(counts, "counts"))


def exponential(
    scale: int,
    zero_count: float = 0.0,
    zero_threshold: float = 0.0,
    positive: Buckets | None = None,
    negative: Buckets | None = None,
) -> Exponential:
    """An exponential histogram; raises Unusable with the place of what is wrong."""
    if not SCALE_MIN <= scale <= SCALE_MAX:
        raise Unusable(f"scale is {scale}; the data model knows {SCALE_MIN} to {SCALE_MAX}")
    if not 0 <= zero_threshold < math.inf:
        raise Unusable(f"zero_threshold is {zero_threshold}; it must be finite and not below 0")
    checked([zero_count], "zero_count")
    sides = {"positive": positive or Buckets(), "negative": negative or Buckets()}
    for name, side in sides.items():
        checked(side.counts, f"{name}.counts")
        if abs(side.offset) > INDEX_MAX or abs(side.offset + len(side.counts)) > INDEX_MAX:
            raise Unusable(f"{name}.offset is {side.offset}; indices have 32 bits")
        highest = max(side.held, default=0)
        if (highest + 1) * 2.0**-scale > 1024 or min(side.held, default=0) * 2.0**-scale < -1074:
            raise Unusable(f"{name} buckets reach beyond what a double can hold at scale {scale}")
    return Exponential(scale, float(zero_count), float(zero_threshold), sides["positive"], sides["negative"])


def categories(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts by category; raises Unusable with the category that is wrong."""
    for name, count in counts.items():
        checked([count], f"categories[{name!r}]")
    return {name: float(count) for name, count in counts.items()}


def checked(counts: Sequence[float], name: str) -> Floats:
    found = np.asarray(counts, dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(found) | (found < 0))
    if wrong.size:
        place = f"[{wrong[0]}]" if len(found) > 1 else ""
        raise Unusable(f"{name}{place} is {found[wrong[0]]:g}; counts must be finite and not below 0")
    return found


def shared(baseline: Histogram, current: Histogram) -> Pair:
    """Both over the finest bins that they have in common.

    Raises:
        Unusable: numbers against categories, or bins without a common edge.
    """
    if isinstance(baseline, Mapping) or isinstance(current, Mapping):
        if not (isinstance(baseline, Mapping) and isinstance(current, Mapping)):
            raise Unusable("one histogram counts categories and the other numbers: they have no bins in common")
        return _of_categories(baseline, current)
    if isinstance(baseline, Exponential) and isinstance(current, Exponential):
        return _of_exponentials(baseline, current)
    return _of_edges(_with_edges(baseline), _with_edges(current))


def _of_categories(baseline: Mapping[str, float], current: Mapping[str, float]) -> Pair:
    labels = tuple(dict.fromkeys([*baseline, *current]))
    base, now = (np.array([side.get(label, 0.0) for label in labels]) for side in (baseline, current))
    return Pair(base, now, None, labels)


def _of_edges(baseline: Binned, current: Binned) -> Pair:
    edges = np.intersect1d(baseline.edges, current.edges)
    if len(edges) < 3:
        raise Unusable("their bins have no edge in common, so no count of the one can be held against one of the other")
    whole = max(len(baseline.edges), len(current.edges)) - 1
    note = "" if len(edges) - 1 == whole else f"joined to the {len(edges) - 1} bins that both have"
    return Pair(baseline.over(edges).counts, current.over(edges).counts, edges, note=note)


def opened(histogram: Binned | Exponential) -> Binned:
    """Open at both ends, in at most as many bins as two exponential histograms are compared over.

    Raises:
        Unusable: it holds nothing.
    """
    if not isinstance(histogram, Binned):
        while max(last - first for first, last in _spans([histogram])) >= BUCKETS_MAX:
            histogram = _at_scale(histogram, histogram.scale - 1)
    found = _with_edges(histogram)
    if not found.counts.any():
        raise Unusable("it holds no event")
    return found


def _with_edges(histogram: Binned | Exponential) -> Binned:
    """Open at both ends, so that what lies outside of the other's edges has a bin."""
    if isinstance(histogram, Binned):
        return histogram
    found = _dense(histogram, _spans([histogram]))
    edges, counts = found.edges, found.counts
    if histogram.zero_threshold == 0:
        # Its bucket of zero holds zero alone, which an explicit bound of 0 includes.
        zero = int(np.searchsorted(edges, 0.0)) - 1
        edges = np.insert(edges, zero + 1, 0.0)
        counts = np.insert(counts, zero + 1, 0.0)
    return Binned(np.concatenate([[-np.inf], edges, [np.inf]]), np.concatenate([[0.0], counts, [0.0]]))


# --- exponential histograms


Spans = tuple[tuple[int, int], tuple[int, int]]
"""Indices [first, last] of the positive and of the negative side."""


def _of_exponentials(baseline: Exponential, current: Exponential) -> Pair:
    scale = min(baseline.scale, current.scale)
    pair = [_at_scale(side, scale) for side in (baseline, current)]
    while max(last - first for first, last in _spans(pair)) >= BUCKETS_MAX:
        scale -= 1
        pair = [_at_scale(side, scale) for side in pair]
    pair = _one_zero(pair)
    spans = _spans(pair)
    first, second = (_dense(side, spans) for side in pair)
    finest = max(baseline.scale, current.scale)
    note = "" if scale == finest else f"joined to buckets of scale {scale}"
    return Pair(first.counts, second.counts, first.edges, note=note)


def _at_scale(histogram: Exponential, scale: int) -> Exponential:
    by = histogram.scale - scale
    sides = (_packed(_shifted(side, by)) for side in (histogram.positive, histogram.negative))
    positive, negative = sides
    return replace(histogram, scale=scale, positive=positive, negative=negative)


def _shifted(side: Buckets, by: int) -> dict[int, float]:
    found: dict[int, float] = {}
    for index, count in side.held.items():
        found[index >> by] = found.get(index >> by, 0.0) + count
    return found


def _packed(held: Mapping[int, float]) -> Buckets:
    if not held:
        return Buckets()
    first, last = min(held), max(held)
    return Buckets(first, tuple(held.get(index, 0.0) for index in range(first, last + 1)))


def _one_zero(pair: Sequence[Exponential]) -> list[Exponential]:
    """Both with the wider bucket of zero: what it takes in wholly belongs to it, and it grows over what it cuts."""
    scale, threshold = pair[0].scale, max(side.zero_threshold for side in pair)
    if min(side.zero_threshold for side in pair) == threshold:
        return list(pair)
    for bucket in sorted({i for h in pair for side in (h.positive, h.negative) for i in side.held}):
        if bound(bucket, scale) < threshold < bound(bucket + 1, scale):
            threshold = bound(bucket + 1, scale)
    return [_zeroed(histogram, threshold) for histogram in pair]


def _zeroed(histogram: Exponential, threshold: float) -> Exponential:
    kept, taken = [], 0.0
    for side in (histogram.positive, histogram.negative):
        held = side.held
        kept.append(_packed({i: c for i, c in held.items() if bound(i + 1, histogram.scale) > threshold}))
        taken += sum(c for i, c in held.items() if bound(i + 1, histogram.scale) <= threshold)
    positive, negative = kept
    zero = histogram.zero_count + taken
    return Exponential(histogram.scale, zero, threshold, positive, negative)


def bound(index: int, scale: int) -> float:
    """Lower bound of a bucket, upper bound of the one before it: 2^(index·2^-scale)."""
    # Whole powers are exact, so that they can be told equal to an explicit bound.
    power = index * 2.0**-scale
    return math.ldexp(1.0, int(power)) if power == int(power) else 2.0**power


def _spans(histograms: Sequence[Exponential]) -> Spans:
    return _span([h.positive for h in histograms]), _span([h.negative for h in histograms])


def _span(sides: Sequence[Buckets]) -> tuple[int, int]:
    held = [index for side in sides for index in side.held]
    return (min(held), max(held)) if held else (0, -1)


def _dense(histogram: Exponential, spans: Spans) -> Binned:
    """Every bucket of the spans, the negative ones mirrored before that of zero."""
    (low, high), (near, far) = spans
    scale = histogram.scale
    positive, negative = histogram.positive.held, histogram.negative.held
    edges = [-bound(i, scale) for i in range(far + 1, near - 1, -1)] if negative or far >= near else []
    counts = [negative.get(i, 0.0) for i in range(far, near - 1, -1)]
    upper = [bound(i, scale) for i in range(low, high + 2)] if high >= low else []
    # The bucket of zero reaches from the last negative edge to the first positive one.
    if not edges:
        edges = [-(upper[0] if upper else max(histogram.zero_threshold, 1.0))]
    if not upper:
        upper = [max(-edges[-1], histogram.zero_threshold)]
    counts.append(histogram.zero_count)
    counts += [positive.get(i, 0.0) for i in range(low, high + 1)]
    return Binned(np.array([*edges, *upper], dtype=np.float64), np.array(counts, dtype=np.float64))
