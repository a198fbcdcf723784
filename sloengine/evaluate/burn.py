"""Error budgets and burn rates. Source of the arithmetic: Google, The Site Reliability Workbook, chapter 5. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.interval import lower_bounds
from sloengine.evaluate.promises import Evidence
from sloengine.evaluate.tally import Bools, Floats, Tally, numbers, tally_of
from sloengine.model import Budget, BurnReading, BurnWindow, Counts, Slo


def error_ratio(counts: Counts) -> float | None:
    """Bad over valid events; None without valid events, which is not the same as none bad."""
    return counts.bad / counts.valid if counts.valid else None


def burn_rate(counts: Counts, target: float) -> float | None:
    """How many times faster than allowed the budget goes: 1 spends it exactly over the SLO's window.

    Where nothing bad is allowed (target 1) it is the number of bad events.
    """
    if target == 1:
        return counts.bad if counts.valid else None
    ratio = error_ratio(counts)
    return None if ratio is None else ratio / (1 - target)


def budget_remaining(counts: Counts, target: float) -> float | None:
    """Share of the window's budget that is left: 1 untouched, 0 spent, negative overspent; None without valid events.

    Where nothing bad is allowed there is no share of it: it is untouched, or spent.
    """
    burn = burn_rate(counts, target)
    if burn is None:
        return None
    return 1 - burn if target < 1 else float(not burn)


def budget_of(
    slo: Slo, parts: Sequence[tuple[float, Counts]], length: timedelta, burn: float | None = None
) -> Budget | None:
    """The budget of a window of so many ``(target, counts)`` parts; None without valid events.

    An objective that changed is not retroactive: each event is allowed for by the target of its own time.
    """
    if len(parts) == 1:
        # Nearly all windows: exact sums of one number cost more than all else here.
        ((target, counts),) = parts
        valid, spent = counts.valid, float(counts.bad)
        allowed = (1 - target) * valid
    else:
        valid = math.fsum([c.valid for _, c in parts])
        allowed = math.fsum([(1 - t) * c.valid for t, c in parts])
        spent = math.fsum([c.bad for _, c in parts])
    if not valid:
        return None
    remaining = 1 - spent / allowed if allowed else float(not spent)
    left_s = remaining * (allowed / valid) * length.total_seconds()
    return Budget(allowed, spent, remaining, left_s, _exhausts_in(remaining, burn, length), slo.reserve)


def _exhausts_in(remaining: float, burn: float | None, length: timedelta) -> timedelta | None:
    """At ``burn`` the whole budget lasts ``length / burn``."""
    if remaining <= 0:
        return timedelta()
    if not burn or burn <= 1:
        return None
    return min(length * (remaining / burn), timedelta(days=3650))


def read_burns(slo: Slo, by_window: Mapping[timedelta, Counts], length: timedelta) -> tuple[BurnReading, ...]:
    """Each window pair of the SLO's policy, measured; ``length`` is that of the SLO's window as it is now."""
    spans = {span: column for column, span in enumerate(by_window)}
    return read_all_burns([slo], tally_of([list(by_window.values())]), spans, length)[0]


KnownWithin = Mapping[int, Mapping[timedelta, Evidence]]
ALL_EVENTS: KnownWithin = {}


def read_all_burns(
    slos: Sequence[Slo],
    found: Tally,
    spans: Mapping[timedelta, int],
    length: timedelta,
    within: KnownWithin = ALL_EVENTS,
) -> list[tuple[BurnReading, ...]]:
    """:func:`read_burns` of many slices. ``slos``: of each slice, all of one policy and window; ``spans``: the column of each
    alert window, a window that has none being empty; ``within``: by number of the slice, where its events are nodes or sites."""
    if not slos:
        return []
    lines = _Lines.of(slos)
    readings = [_read(lines, pair, (found, within), spans, length) for pair in slos[0].policy.windows]
    return list(zip(*readings, strict=True)) if readings else [()] * len(slos)


@dataclass(frozen=True, slots=True)
class _Lines:
    """What each slice is held to; shape (slices,)."""

    targets: Floats
    none: Bools
    """Where no bad event is tolerated."""
    single: Bools
    """Where nothing bad is allowed, burn is the number of bad events."""

    @staticmethod
    def of(slos: Sequence[Slo]) -> _Lines:
        targets = np.array([slo.target for slo in slos], dtype=np.float64)
        return _Lines(targets, np.array([slo.zero_tolerance for slo in slos], dtype=np.bool_), targets == 1)


def _read(
    lines: _Lines,
    pair: BurnWindow,
    known: tuple[Tally, KnownWithin],
    spans: Mapping[timedelta, int],
    length: timedelta,
) -> list[BurnReading]:
    """One window pair of every slice."""
    found, within = known
    factor = pair.factor(length)
    factors = np.where(lines.none, 0.0, factor)
    long, short = _burns(lines, found, spans.get(pair.long)), _burns(lines, found, spans.get(pair.short))
    # Without valid events a burn is NaN, which is over nothing.
    doubtful = np.flatnonzero((long > factors) & (short > factors) & ~lines.none)
    unsure: set[int] = set()
    if doubtful.size:
        # Only where a point is over the line is it worth asking how sure that is.
        bounds = _bounds(found, doubtful, spans[pair.long], spans[max(spans)])
        for place, number in enumerate(doubtful.tolist()):
            if number in within:
                # As many events as nodes would prove next to nothing of a fleet of three.
                bounds[place] = within[number][pair.long].surely_above()
        unsure = set(doubtful[bounds <= factors[doubtful] * (1 - lines.targets[doubtful])].tolist())
    return [
        BurnReading(pair, line, far, near, number not in unsure)
        for number, (line, far, near) in enumerate(
            zip(factors.tolist(), _known(lines, long), _known(lines, short), strict=True)
        )
    ]


def _burns(lines: _Lines, found: Tally, column: int | None) -> Floats:
    """:func:`burn_rate` of every slice; NaN without valid events."""
    empty = np.full(len(lines.targets), np.nan)
    if column is None:
        return empty
    bad = found.bad[:, column]
    valid = found.good[:, column] + bad
    ratio = np.divide(bad, valid, out=empty, where=valid != 0)
    rate = np.divide(ratio, 1 - lines.targets, out=np.full_like(ratio, np.nan), where=~lines.single)
    return np.where(lines.single & (valid != 0), bad, rate)


def _known(lines: _Lines, burns: Floats) -> list[float | None]:
    """Plain numbers; None for NaN. What is a number of events stays a whole one."""
    found: list[float | None] = burns.tolist()
    for number in np.flatnonzero(np.isnan(burns)).tolist():
        found[number] = None
    for number in np.flatnonzero(lines.single & ~np.isnan(burns)).tolist():
        (found[number],) = numbers(burns[number : number + 1])
    return found


def _bounds(found: Tally, slices: NDArray[np.intp], column: int, longest: int) -> Floats:
    """Lower bounds of the bad ratio of some slices; with the weight of a good event where the longest window knows it.

    A tail sampler that keeps few good events may have kept none in a short window, and the errors seen there would look like all
    there was.
    """
    known = found.sampled[slices, longest] & (found.good[slices, longest] != 0)
    out = np.zeros(len(slices))
    for with_weight in (False, True):
        some = slices[known == with_weight]
        if some.size:
            sums = (found.good, found.bad, found.good_squares, found.bad_squares)
            weight = found.good_squares[some, longest] / found.good[some, longest] if with_weight else None
            out[known == with_weight] = lower_bounds(*(part[some, column] for part in sums), good_weight=weight)
    return out


def windows_of(slo: Slo) -> set[timedelta]:
    """Every rolling window that judging this SLO needs."""
    own = set() if slo.calendar else {slo.window}
    return own | {span for pair in slo.policy.windows for span in (pair.long, pair.short)}
