"""One histogram against its baseline: every index with its p-value, what so many events could have shown, and a verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.histogram import Floats, Histogram, Pair, Unusable, shared
from sloengine.evaluate.drift.joining import EXPECTED_MIN, full_bins

SEED = 1
FULL = 50.0
"""Events that every bin must expect before the limits of PSI, Jensen-Shannon and Hellinger hold: below, as many as ten times
alpha are found without drift (docs/drift-shown.md)."""


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
    rounds: int = 4999
    """How often events are dealt out anew to see what chance alone would show."""


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
Index = Callable[[Floats, Floats], Floats]
LIMITS: Mapping[str, tuple[Index, Index, float]] = {
    "psi": (indices.psi, lambda b, c: _tending(indices.psi(b, c), b, c), FULL),
    "js": (indices.js, lambda b, c: _tending(8 * indices.js(b, c) ** 2, b, c), FULL),
    "hellinger": (indices.hellinger, lambda b, c: _tending(8 * indices.hellinger(b, c) ** 2, b, c), FULL),
    # Pearson's is near its limit already at five events in every bin (Cochran 1954).
    "chi2": (lambda b, c: indices.chi2(b, c)[0], lambda b, c: indices.chi2_p(*indices.chi2(b, c)), EXPECTED_MIN),
}
"""Index, its p in the limit of many events, and the events that every bin must expect before that may be used."""


def _tending(size: Floats, base: Floats, now: Floats) -> Floats:
    bins = int(np.count_nonzero(base + now))
    return indices.divergence_p(size, base.sum(), now.sum(), bins)


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
    readings = _readings(pair, rule.rounds)
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


def _readings(pair: Pair, rounds: int) -> dict[str, Reading]:
    """Of those indices that apply."""
    base, now = pair.baseline, pair.current
    by_chance = indices.dealt(base, now, rounds=rounds, seed=SEED)
    found = {}
    for name, (index, _, _) in LIMITS.items():
        value = float(index(base, now))
        found[name] = Reading(value, _p(name, value, (base, now), by_chance))
    if pair.edges is not None:
        edges, distance = pair.edges, float(indices.ks(base, now))
        found["ks"] = Reading(distance, indices.ks_p(distance, base, now))
        moved = float(indices.wasserstein(base, now, edges))
        found["wasserstein"] = Reading(moved, indices.chance(indices.wasserstein(*by_chance, edges), moved))
    return found


def _p(name: str, value: float, sides: tuple[Floats, Floats], by_chance: tuple[Floats, Floats]) -> float:
    index, limit, enough = LIMITS[name]
    expected = _expected(*sides)
    if expected >= enough:
        return float(limit(*sides))
    p = indices.chance(index(*by_chance), value)
    full = sides if expected >= EXPECTED_MIN else _joined(*sides)
    # Of a value that none of the deals reached they tell no more; bins that are full enough may.
    unreached = p <= 1 / (1 + len(by_chance[0]))
    return min(p, float(limit(*full))) if unreached and full else p


def _expected(base: Floats, now: Floats) -> float:
    """Events that the emptiest bin expects at the smaller of both sizes, of those that hold any."""
    pooled = base + now
    return float(pooled[pooled > 0].min() * min(base.sum(), now.sum()) / pooled.sum())


def _joined(base: Floats, now: Floats) -> tuple[Floats, Floats] | None:
    """Over bins that are full enough; None if there aren't two."""
    joined = full_bins(base, now)
    return joined if len(joined[0]) > 1 else None


def _smallest(pair: Pair, rule: Rule) -> float | None:
    """Over the bins that are full enough to show anything."""
    joined = _joined(pair.baseline, pair.current)
    if joined is None:
        return None
    n, m = float(pair.baseline.sum()), float(pair.current.sum())
    return indices.smallest_psi(n, m, len(joined[0]), rule.alpha, rule.power)


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
