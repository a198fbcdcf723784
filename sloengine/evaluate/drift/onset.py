"""When a drift began, and which bins it moved. Pure.

The hour by maximum likelihood: before it events are distributed as the baseline's are, from it on otherwise, until the end
(Hinkley 1970). Both distributions are estimated, the first from the baseline and the hours before, so that a cut between hours
has the likelihood of a 2 × B table; those of all cuts come from cumulative sums.

The interval holds the hours whose likelihood is at most a ratio below the best one's. That ratio is not one of χ²: the deviance
from the best to the true hour tends to twice the maximum of a random walk to both sides of it, which is at most x with
probability (1 - e^(-x/2))² (Yao 1987 for change points; Hansen 2000, theorem 2). That is exact for small steps, and too wide for
large ones, where single hours tell. So many intervals of 95 % held the true hour in simulation, by the p of the deviance as a χ²
with B - 1 degrees of freedom: 0.95 from 1e-8 to 1e-5, 0.96 from 1e-15 to 1e-8, 0.99 below; but 0.87 above 1e-5, where what hardly
shows may seem to have begun anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from sloengine.evaluate.drift import indices

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
BELOW, ABOVE = "underflow", "overflow"


@dataclass(frozen=True, slots=True)
class Onset:
    """Hours are counted from the first one, 0."""

    hour: int
    """The first with events that the new distribution has made."""
    first: int
    """Of the interval; 0: it may have begun before."""
    last: int
    deviance: float
    """By how much it is likelier than that nothing changed: twice the logarithm of the ratio."""


def onset(hours: Floats, baseline: Floats, inflation: float = 1.0, confidence: float = CONFIDENCE) -> Onset | None:
    """When the counts began to differ: of H hours, shape (H, B), from the baseline's, (B,); None where no hour has an event.

    ``inflation``: variance of counts over what chance makes it; it divides the deviance (McCullagh & Nelder 1989, section 9.2).
    """
    if not hours.any():
        return None
    deviance = _deviance(hours, baseline) / inflation
    # Before an hour without events nothing could be seen of it: of cuts that say the same the last.
    best = len(deviance) - 1 - int(np.argmax(deviance[::-1]))
    inside = np.flatnonzero(deviance >= deviance[best] - _ratio(confidence))
    return Onset(best, int(inside[0]), int(inside[-1]), float(deviance[best]))


def _deviance(hours: Floats, baseline: Floats) -> Floats:
    """Of a cut before each hour against none, shape (H,)."""
    after = np.cumsum(hours[::-1], axis=0)[::-1]
    before = baseline + hours.sum(axis=0) - after
    whole = baseline + hours.sum(axis=0)
    return np.asarray(2 * (_likelihood(before) + _likelihood(after) - _likelihood(whole)))


def _likelihood(counts: Floats) -> Floats:
    """Largest logarithm of the likelihood of counts, along the last axis."""
    return np.asarray(
        special.xlogy(counts, counts).sum(axis=-1) - special.xlogy(counts.sum(axis=-1), counts.sum(axis=-1))
    )


def _ratio(confidence: float) -> float:
    """Deviance within which the true hour lies with this probability."""
    return -2 * math.log(1 - math.sqrt(confidence))


@dataclass(frozen=True, slots=True)
class Bin:
    at: int
    edges: tuple[float, float] | None
    """None of classes."""
    name: str
    """BELOW or ABOVE, for what lies outside of all bounds; else empty."""
    then: float
    """Share of the baseline's events."""
    now: float
    psi: float
    """Its part of the PSI; never negative."""


def moved(baseline: Floats, current: Floats, edges: Floats | None) -> list[Bin]:
    """Bins, those that make most of the PSI first; counts of shape (B,), edges (B + 1,)."""
    p, q = (indices.shares(counts + indices.HALF) for counts in (baseline, current))
    parts = (q - p) * np.log(q / p)
    then, now = indices.shares(baseline), indices.shares(current)
    found = []
    for at in range(len(parts)):
        ends = None if edges is None else (float(edges[at]), float(edges[at + 1]))
        found.append(Bin(at, ends, _name(ends), float(then[at]), float(now[at]), float(parts[at])))
    return sorted(found, key=lambda b: (-b.psi, b.at))


def _name(edges: tuple[float, float] | None) -> str:
    if edges is None:
        return ""
    return BELOW if edges[0] == -math.inf else ABOVE if edges[1] == math.inf else ""
