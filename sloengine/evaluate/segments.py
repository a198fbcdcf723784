"""Segments of an SLO side by side: how each fares, how sure that is, and whether the worst is surely worse. Pure.

Shares are of good events (accuracy, for predictions). Sources of the intervals: ``fleet.segment_gap``, docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sloengine.evaluate.fleet import Gap, NotEnoughData, segment_gap
from sloengine.evaluate.interval import bad_ratio_bounds, effective_sizes
from sloengine.model import Counts

CONFIDENCE = 0.95
SIZE_MIN = 30.0
"""Effective events from which on a segment is compared: of fewer it could be anything."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment's share of good events."""

    name: str
    counts: Counts
    share: float | None
    """None without a valid event."""
    interval: tuple[float, float] | None
    """All segments' intervals hold together with ``CONFIDENCE``: each is wider than its own would be."""
    effective: float
    coverage: float | None
    """Valid over all events: how many have a label."""
    bounds: tuple[float, float] | None
    """The share if every event that can't be told were bad, and if every one were good: no assumption at all (Manski 1989)."""
    compared: bool


@dataclass(frozen=True, slots=True)
class Segments:
    """Segments of one slice, the worst first."""

    rows: tuple[Segment, ...]
    gap: Gap | NotEnoughData
    coverage_gap: Gap | NotEnoughData
    """The same for coverage: ``worst`` has the fewest labels. Where labels are missing more often in one segment, and not by
    chance, its share is of other events than it seems."""


def segments(counts: Mapping[str, Counts], confidence: float = CONFIDENCE) -> Segments:
    """Compare segments by name.

    Raises:
        ValueError: more than ``fleet.SEGMENTS_MAX`` segments.
    """
    known = [name for name, c in counts.items() if c.valid > 0]
    sums = np.array([(counts[n].good, counts[n].bad, *counts[n].squares) for n in known]).reshape(-1, 4).T
    # Šidák 1967: segments are independent, so that all hold together if each holds at this confidence.
    good, bad, good_squares, bad_squares = sums
    low, high = bad_ratio_bounds(good, bad, good_squares, bad_squares, confidence ** (1 / max(1, len(known))))
    sizes = effective_sizes(good, bad, good_squares, bad_squares).tolist()
    found = zip((1 - high).tolist(), (1 - low).tolist(), sizes, strict=True)
    sure = dict(zip(known, found, strict=True))
    rows = [_segment(name, c, sure.get(name)) for name, c in counts.items()]
    rows.sort(key=lambda r: (r.share is None, r.share if r.share is not None else 0.0, r.name))
    covered = {name: _labelled(c) for name, c in counts.items() if c.valid + c.unknown > 0}
    return Segments(tuple(rows), segment_gap(counts, confidence, SIZE_MIN), segment_gap(covered, confidence, SIZE_MIN))


def _segment(name: str, counts: Counts, sure: tuple[float, float, float] | None) -> Segment:
    """``sure``: the interval's ends and the effective size; None without a valid event."""
    whole = counts.valid + counts.unknown
    coverage = counts.valid / whole if whole else None
    bounds = (counts.good / whole, (counts.good + counts.unknown) / whole) if whole else None
    if sure is None:
        return Segment(name, counts, None, None, 0.0, coverage, bounds, compared=False)
    low, high, size = sure
    share = counts.good / counts.valid
    return Segment(name, counts, share, (low, high), size, coverage, bounds, size >= SIZE_MIN)


def _labelled(counts: Counts) -> Counts:
    """Having a label as the good outcome. Events that can't be told are taken to weigh what the others do on average: their own
    squares are not kept."""
    if not counts.sampled:
        return Counts(counts.valid, counts.unknown)
    squares = sum(counts.squares)
    weight = squares / counts.valid if counts.valid else 1.0
    return Counts(counts.valid, counts.unknown, good_squares=squares, bad_squares=counts.unknown * weight)
