"""A shift of the mix told from drift: the same segments at other weights move the whole without having changed. Pure.

Direct standardisation (Kitagawa 1955): the segments as they are now at the weights that they had in the baseline show what has
changed inside them, the segments as they were at their weights of now what the mix alone has done.

Chance is not that of the whole. A segment that has become rare is told from few events and counts as much as it did: without
drift the reweighted shares vary by C = Σ w²·(1/n + 1/m)·(diag p - p·pᵀ) over the segments, w a weight, n and m its events now and
then, p its shares. The mix varies by the draw of segments, (1/n + 1/m)·(Σ w·p·pᵀ - P·Pᵀ), and by (v - w)²/m·(diag p - p·pᵀ), as
segments' shares are known from m events. Σ (Q - P)²/P is then a sum of χ² whose weights are the eigenvalues of C/P: its mean is
taken from the effect, and p is that of the χ² of the same mean and variance (Satterthwaite 1946; for tables Rao & Scott 1981).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from sloengine.evaluate.drift import fleet, indices, joining

Floats = NDArray[np.float64]

EVENTS_MIN = 30.0
"""Events from which on a segment's shares are told, then and now. One that has fewer now counts as unchanged; one that had
fewer in the baseline is new, and what it adds is the mix's."""
ALPHA = 0.01
"""Probability of calling chance a drift, or a shift of the mix."""


class Verdict(StrEnum):
    DRIFT = "drift"
    """Segments have changed."""
    MIX = "mix"
    """They have other weights."""
    BOTH = "both"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Part:
    """How far one mixture is from the baseline's."""

    value: float
    effect: float
    """Without what chance adds."""
    p: float
    """NaN where there are too few events to tell."""


@dataclass(frozen=True, slots=True)
class Segment:
    at: int
    """Its row."""
    then: float
    """Share of the baseline's events."""
    now: float
    own: Part
    """Against its own baseline; NaN without events."""
    contribution: float
    """To the pooled PSI: they add up to it but for the half events; what it takes away is negative."""


@dataclass(frozen=True, slots=True)
class Mix:
    pooled: Part
    inside: Part
    """Segments as now, weighted as in the baseline."""
    mix: Part
    """Segments as in the baseline, weighted as now."""
    new: float
    """Share of the current events in segments that the baseline doesn't know."""
    untold: float
    """Share of the baseline's events in segments of which nothing is known now."""
    segments: tuple[Segment, ...]
    """Those that contribute most first."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Mixture:
    """Shares that weights and segments make, and how chance makes them vary."""

    shares: Floats
    size: float
    """Events that vary as much."""
    covariance: Floats


@dataclass(frozen=True, slots=True)
class _Scale:
    """What mixtures are held against, and how."""

    baseline: Floats
    index: str
    edges: Floats | None
    inflation: float
    freedom: float

    def part(self, found: _Mixture) -> Part:
        value = self._value(found.shares * found.size)
        p = indices.shares(self.baseline + found.shares * found.size)
        held = int(np.count_nonzero(p))
        chance = self.inflation * float(np.sum(np.diag(found.covariance)[p > 0] / p[p > 0]))
        effect = fleet.without_chance(self.index, np.array(value), np.array(held), np.array(chance / max(1, held - 1)))
        return Part(value, float(effect), self._p(found, p))

    def _value(self, counts: Floats) -> float:
        if self.index == "wasserstein" and self.edges is not None:
            return float(indices.wasserstein(self.baseline, counts, self.edges))
        of = {"psi": indices.psi, "js": indices.js, "hellinger": indices.hellinger, "ks": indices.ks}
        return float(of[self.index](self.baseline, counts))

    def _p(self, found: _Mixture, p: Floats) -> float:
        m = self.baseline.sum()
        groups = joining.groups(self.baseline, found.size)
        if not groups.any():
            return np.nan
        joined = np.eye(int(groups.max()) + 1)[groups].T
        gap, covariance = joined @ (found.shares - self.baseline / m), joined @ found.covariance @ joined.T
        return _surprise(gap, joined @ p, self.inflation * covariance, self.freedom)


def apart(
    baseline: Floats,
    current: Floats,
    index: str,
    minimum: float,
    *,
    edges: Floats | None = None,
    inflation: float = 1.0,
    freedom: float = np.inf,
) -> Mix:
    """Counts of K segments over the same B bins, shapes (K, B); ``edges`` of shape (B + 1,) for Wasserstein and KS.

    ``inflation`` and ``freedom`` are the baseline's, as those of ``fleet.Block``.

    Raises:
        ValueError: no events on one side.
        KeyError: no such index, or Wasserstein's without edges.
    """
    m, n = float(baseline.sum()), float(current.sum())
    if not m or not n:
        raise ValueError(f"no events {'now' if m else 'in the baseline'}")
    scale = _Scale(baseline.sum(axis=0), index, edges, inflation, freedom)
    *own, pooled = _own(baseline, current, scale)
    known, told = _known(baseline, current)
    inside, mix = scale.part(_inside(baseline, current, told)), scale.part(_mix(baseline, current, known))
    return Mix(
        pooled=pooled,
        inside=inside,
        mix=mix,
        new=float(current[~known].sum()) / n,
        untold=float(baseline[~told].sum()) / m,
        segments=_segments(baseline, current, own),
        verdict=_verdict(pooled, inside, mix, minimum),
    )


def _own(baseline: Floats, current: Floats, scale: _Scale) -> list[Part]:
    """Of every segment, and last of all together."""
    base, now = (np.vstack([counts, counts.sum(axis=0)]) for counts in (baseline, current))
    inflation, freedom = np.full(len(base), scale.inflation), np.full(len(base), scale.freedom)
    read = fleet.read(fleet.Block(base, now, scale.edges, inflation, freedom))
    figures = zip(read.values[scale.index], read.effect(scale.index), read.p, strict=True)
    return [Part(*map(float, one)) for one in figures]


def _known(baseline: Floats, current: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each segment whether its baseline is known, and whether it can be compared."""
    known = baseline.sum(axis=1) >= EVENTS_MIN
    return known, known & (current.sum(axis=1) >= EVENTS_MIN)


def _inside(baseline: Floats, current: Floats, told: NDArray[np.bool_]) -> _Mixture:
    base, now = baseline[told], current[told]
    m, n = base.sum(axis=1), now.sum(axis=1)
    weights = m / baseline.sum()
    moved = weights @ (indices.shares(now) - indices.shares(base))
    covariance = _within(weights**2 * (1 / n + 1 / m), indices.shares(base + now))
    vary = float(np.sum(weights**2 / n))
    # What is taken to be unchanged varies as the baseline does.
    size = 1 / vary if vary else float(baseline.sum())
    return _Mixture(indices.shares(baseline.sum(axis=0)) + moved, size, covariance)


def _mix(baseline: Floats, current: Floats, known: NDArray[np.bool_]) -> _Mixture:
    m, n = float(baseline.sum()), float(current.sum())
    then, now = baseline.sum(axis=1) / m, current.sum(axis=1) / n
    # Of a segment that the baseline doesn't know, what it is now is all that is known.
    counts = np.where(known[:, None], baseline, baseline + current)
    events = counts.sum(axis=1)
    shares = counts / np.maximum(events, 1.0)[:, None]
    both = (then * m + now * n) / (m + n)
    mean = both @ shares
    drawn = (1 / n + 1 / m) * ((both[:, None] * shares).T @ shares - np.outer(mean, mean))
    covariance = drawn + _within((now - then) ** 2 / np.maximum(events, 1.0), shares)
    return _Mixture(now @ shares, n, covariance)


def _within(scale: Floats, shares: Floats) -> Floats:
    """Σ scale·(diag p - p·pᵀ) over segments."""
    return np.diag(scale @ shares) - (scale[:, None] * shares).T @ shares


def _surprise(gap: Floats, p: Floats, covariance: Floats, freedom: float) -> float:
    """p of Σ gap² / p, a sum of χ² weighted by the eigenvalues of the covariance over p."""
    scaled = covariance / np.sqrt(np.outer(p, p))
    mean, square = float(np.trace(scaled)), float(np.sum(scaled * scaled))
    if mean <= 0:
        return 1.0
    degrees, size = mean**2 / square, float(np.sum(gap**2 / p)) / mean
    if np.isfinite(freedom):
        return float(special.fdtrc(degrees, max(freedom, 1.0), size))
    return float(special.chdtrc(degrees, size * degrees))


def _segments(baseline: Floats, current: Floats, own: list[Part]) -> tuple[Segment, ...]:
    m, n = baseline.sum(), current.sum()
    p, q = (indices.shares(counts.sum(axis=0) + indices.HALF) for counts in (baseline, current))
    contributions = (current / n - baseline / m) @ np.log(q / p)
    found = [
        Segment(at, float(baseline[at].sum() / m), float(current[at].sum() / n), own[at], float(contributions[at]))
        for at in range(len(baseline))
    ]
    return tuple(sorted(found, key=lambda s: (-s.contribution, s.at)))


def _verdict(pooled: Part, inside: Part, mix: Part, minimum: float) -> Verdict:
    def sure(part: Part, least: float) -> bool:
        return part.effect >= least and part.p <= ALPHA

    most = max(inside.effect, mix.effect)
    # Where only both together reach it, or not quite one alone, what makes half as much as the other has its part in it.
    least = most / 2 if sure(pooled, minimum) and 0 < most < minimum else minimum
    drift, shift = sure(inside, least), sure(mix, least)
    if drift and shift:
        return Verdict.BOTH
    return Verdict.DRIFT if drift else Verdict.MIX if shift else Verdict.NEITHER
