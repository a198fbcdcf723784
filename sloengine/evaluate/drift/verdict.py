"""One histogram against its baseline: every index with its p-value, what so many events could have shown, and a verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.histogram import Floats, Histogram, Pair, Unusable, shared
from sloengine.evaluate.drift_index import EXPECTED_MIN, merged

ROUNDS, SEED = 4999, 1
"""Of what chance alone would show: the smallest p is 1 in 5,000, and the same histograms always give the same."""


class Verdict(StrEnum):
    DRIFT = "drift"
    NO_DRIFT = "no_drift"
    NOT_ENOUGH_DATA = "not_enough_data"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a difference is drift: surely there, and large enough to matter."""

    alpha: float = 0.01
    """Probability of calling chance a drift."""
    psi: float = 0.1
    """Smallest PSI that matters."""
    power: float = 0.8
    """Probability with which the smallest detectable PSI would be found."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An index and how probable one as large is without drift."""

    value: float
    p: float


@dataclass(frozen=True, slots=True)
class Compared:
    n: tuple[float, float]
    """Events of the baseline and of now."""
    bins: int
    readings: dict[str, Reading | None]
    """By index; None where it does not apply."""
    ks_error: float | None
    """By how much the KS distance of the values may lie above that of the bins."""
    smallest_psi: float | None
    """What so many events show with the rule's power; None where nothing can."""
    outside: dict[str, tuple[float, float]] | None
    """Shares of baseline and now in the open bins, below and above all bounds."""
    verdict: Verdict
    reason: str
    note: str = ""


NAMES = ("psi", "ks", "js", "wasserstein", "hellinger", "chi2")


def compare(baseline: Histogram, current: Histogram, rule: Rule = Rule()) -> Compared:
    """Compare over the bins that both have; never raises for histograms that were built by this package."""
    try:
        pair = shared(baseline, current)
    except Unusable as error:
        return nothing((_size(baseline), _size(current)), Verdict.REFUSED, str(error))
    n, m = float(pair.baseline.sum()), float(pair.current.sum())
    if not n or not m:
        empty = "the baseline" if not n else "the current histogram"
        return nothing((n, m), Verdict.NOT_ENOUGH_DATA, f"{empty} holds no events", bins=pair.bins)
    if pair.bins < 2:
        return nothing((n, m), Verdict.REFUSED, "one bin holds everything: nothing in it could be told apart", bins=1)
    readings = _readings(pair)
    smallest, psi = _smallest(pair, rule), readings["psi"]
    verdict, reason = _verdict(psi, smallest, rule)
    hidden = None
    if pair.edges is not None:
        hidden = float(indices.ks_most(pair.baseline, pair.current) - indices.ks(pair.baseline, pair.current))
    every = {name: readings.get(name) for name in NAMES}
    return Compared((n, m), pair.bins, every, hidden, smallest, _outside(pair), verdict, reason, pair.note)


def _size(histogram: Histogram) -> float:
    if isinstance(histogram, Mapping):
        return float(sum(histogram.values()))
    try:
        return float(shared(histogram, histogram).baseline.sum())
    except Unusable:
        return 0.0


def nothing(n: tuple[float, float], verdict: Verdict, reason: str, bins: int = 0) -> Compared:
    """A verdict without a figure, and why."""
    return Compared(n, bins, dict.fromkeys(NAMES), None, None, None, verdict, reason)


def _readings(pair: Pair) -> dict[str, Reading]:
    """Of those indices that apply."""
    base, now = pair.baseline, pair.current
    n, m = base.sum(keepdims=True), now.sum(keepdims=True)
    by_chance = indices.dealt(base, now, rounds=ROUNDS, seed=SEED)
    pooled = base + now
    held = pooled[pooled > 0] * np.minimum(n, m) / (n + m)
    # The limits hold where every bin expects five events (Cochran 1954); elsewhere chance is counted out.
    sparse = bool(held.size and held.min() < EXPECTED_MIN)
    bins = int(np.count_nonzero(pooled))

    def reading(value: float, index: Callable[[Floats, Floats], Floats], limit: Callable[[], Floats]) -> Reading:
        return Reading(value, indices.chance(index(*by_chance), value) if sparse else float(np.squeeze(limit())))

    def divergence(index: Callable[[Floats, Floats], Floats], times: float = 0.0) -> Reading:
        value = float(index(base, now))
        size = times * value**2 if times else value
        return reading(value, index, lambda: indices.divergence_p(np.asarray(size), n, m, bins))

    statistic, freedom = indices.chi2(base, now)
    found = {
        "psi": divergence(indices.psi),
        "js": divergence(indices.js, 8.0),
        "hellinger": divergence(indices.hellinger, 8.0),
        "chi2": reading(
            float(statistic), lambda b, c: indices.chi2(b, c)[0], lambda: indices.chi2_p(statistic, freedom)
        ),
    }
    if pair.edges is not None:
        edges, distance = pair.edges, float(indices.ks(base, now))
        found["ks"] = Reading(distance, indices.ks_p(distance, float(base.sum()), float(now.sum())))
        moved = float(indices.wasserstein(base, now, edges))
        found["wasserstein"] = Reading(moved, indices.chance(indices.wasserstein(*by_chance, edges), moved))
    return found


def _smallest(pair: Pair, rule: Rule) -> float | None:
    """Over the bins that are full enough to show anything."""
    bins = len(merged(pair.baseline.tolist(), pair.current.tolist())[0])
    if bins < 2:
        return None
    return indices.smallest_psi(float(pair.baseline.sum()), float(pair.current.sum()), bins, rule.alpha, rule.power)


def _outside(pair: Pair) -> dict[str, tuple[float, float]] | None:
    if pair.edges is None:
        return None
    p, q = indices.shares(pair.baseline), indices.shares(pair.current)
    found = {}
    if np.isneginf(pair.edges[0]):
        found["below"] = (float(p[0]), float(q[0]))
    if np.isposinf(pair.edges[-1]):
        found["above"] = (float(p[-1]), float(q[-1]))
    return found


def _verdict(psi: Reading, smallest: float | None, rule: Rule) -> tuple[Verdict, str]:
    seen = f"PSI {psi.value:.4g}"
    if psi.value >= rule.psi:
        if psi.p <= rule.alpha:
            return (
                Verdict.DRIFT,
                f"{seen} is at least {rule.psi:g} and no chance (p {psi.p:.2g} at most {rule.alpha:g})",
            )
        return (
            Verdict.NOT_ENOUGH_DATA,
            f"{seen} is at least {rule.psi:g}, but so few events show it by chance (p {psi.p:.2g})",
        )
    if smallest is not None and smallest <= rule.psi:
        sure = f", although it is no chance (p {psi.p:.2g})" if psi.p <= rule.alpha else ""
        return Verdict.NO_DRIFT, f"{seen} is below {rule.psi:g}, and {smallest:.2g} would have been seen{sure}"
    could = (
        "nothing could have been seen"
        if smallest is None
        else f"only one of {smallest:.2g} would surely have been seen"
    )
    return Verdict.NOT_ENOUGH_DATA, f"{seen} is below {rule.psi:g}, but of so few events {could}"
