"""What a look says of each series, and what of it the next look goes on from. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import sequential
from sloengine.evaluate.drift.discovery import q_values
from sloengine.evaluate.drift.fleet import Readings
from sloengine.evaluate.drift.sequential import Sums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

UNPLACED_MAX = 0.1
"""Share of the events that may lie in buckets that no pinned bin holds."""
SLOW_SHARE = 0.5
"""Of the minimum effect: what a slow drift must have reached before it is spoken of."""
PSI_OF: dict[str, Callable[[float], float]] = {
    "psi": lambda v: v,
    "js": lambda v: 8 * v**2,
    "hellinger": lambda v: 8 * v**2,
    "ks": lambda v: 4 * v**2,
    "wasserstein": lambda v: 0.1,  # in units of its own: any PSI may go with it
}
"""PSI that goes with a small value of each index; of KS the least that can (Pinsker's inequality, both ways)."""


class Verdict(IntEnum):
    """Values are those of the column."""

    DRIFT = 1
    SUSPECTED = 2
    """Found, but not in enough windows yet."""
    SLOW_DRIFT = 3
    """Too small for a single look, but it lasts."""
    NO_DRIFT = 4
    NOT_ENOUGH_DATA = 5
    STALE = 6
    """The baseline knows it and nothing came."""
    NO_BASELINE = 7
    REFUSED = 8
    """Counted in bins that can't be held against those of the baseline."""
    IMPLAUSIBLE = 9
    """So many events as no series of its kind has: forged, or broken."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a look speaks."""

    level: float
    """False discovery rate of this look."""
    index: str
    minimum: float
    persistence: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Before:
    """What the last look left behind of each series."""

    exceeded: NDArray[np.uint8]
    """Bit i: exceeded i looks ago."""
    sums: Sums

    @classmethod
    def fresh(cls, size: int) -> Before:
        return cls(np.zeros(size, dtype=np.uint8), Sums.fresh(size))


@dataclass(frozen=True, slots=True)
class Judged:
    """Of each of S series."""

    verdicts: NDArray[np.uint8]
    q: Floats
    effect: Floats
    smallest: Floats
    """PSI that so many events would have shown alone among all series of this look."""
    after: Before


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of each series beside its figures, shapes (S,)."""

    unplaced: Floats
    """Share of the events that no pinned bin holds."""
    told: Flags
    """Which have a baseline and can be believed."""
    lasting: Floats
    """How many looks what varies in the baseline lasts; NaN: not known, and slow drift can't be told."""


def judge(readings: Readings, given: Given, before: Before, rule: Rule) -> Judged:
    """Judge the series of all levels of one look, shapes (S,).

    A verdict NO_BASELINE stands where ``told`` is false; the caller knows better why.
    """
    told = given.told
    fits = told & ~(given.unplaced > UNPLACED_MAX)
    p = np.where(fits, readings.p, np.nan)
    q = q_values(p)
    effect = readings.effect(rule.index)
    tested = int(np.count_nonzero(~np.isnan(p)))
    smallest = np.where(fits, readings.smallest_psi(rule.level / max(tested, 1)), np.nan)
    exceeds = (q <= rule.level) & (effect >= rule.minimum)
    # Of all series together, cumulative sums may cry wolf as often as looks may.
    limit = sequential.limit_for(max(tested, 1) / rule.level)
    sums = _sums(before, p, readings, given, sequential.most_of_look(limit, rule.persistence[1]))
    after = Before(_exceeded(before, exceeds, p), sums)
    lasting = _windows(after.exceeded, rule.persistence[1]) >= rule.persistence[0]
    # Looks that depend on each other for a time are worth one in that time: the sum varies as much more, and so does what it may
    # reach by chance.
    slow = (after.sums.sums > limit * given.lasting) & (effect >= SLOW_SHARE * rule.minimum)
    verdicts = np.select(
        [
            ~told,
            ~fits,
            lasting,
            exceeds,
            slow,
            np.isnan(p) | ~(smallest <= PSI_OF[rule.index](rule.minimum)),
        ],
        [
            Verdict.NO_BASELINE,
            Verdict.REFUSED,
            Verdict.DRIFT,
            Verdict.SUSPECTED,
            Verdict.SLOW_DRIFT,
            Verdict.NOT_ENOUGH_DATA,
        ],
        Verdict.NO_DRIFT,
    )
    return Judged(verdicts.astype(np.uint8), q, effect, smallest, after)


def _exceeded(before: Before, exceeds: Flags, p: Floats) -> NDArray[np.uint8]:
    shifted = (before.exceeded.astype(np.uint16) << 1 | exceeds) & 0xFF
    # A look that says nothing of a series is no calm one.
    return np.where(np.isnan(p), before.exceeded, shifted).astype(np.uint8)


def _sums(before: Before, p: Floats, readings: Readings, given: Given, most: float) -> Sums:
    # The baseline's own deviation lies in every look, and is as much larger.
    n = readings.n * np.nan_to_num(given.lasting, nan=1.0)
    return sequential.step(before.sums, p, n, readings.m, readings.joined, most=most)


def _windows(exceeded: NDArray[np.uint8], last: int) -> NDArray[np.uint8]:
    return np.asarray(np.bitwise_count(exceeded & ((1 << last) - 1)))
