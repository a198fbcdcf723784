"""Error budgets and burn rates. Source of the arithmetic: Google, The Site Reliability Workbook, chapter 5. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from sloengine.evaluate.interval import lower_bounds
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
    """Share of the window's budget that is left: 1 untouched, 0 spent, negative overspent; None without valid events."""
    burn = burn_rate(counts, target)
    return None if burn is None else 1 - burn


def budget_of(
    slo: Slo, parts: Sequence[tuple[float, Counts]], length: timedelta, burn: float | None = None
) -> Budget | None:
    """The budget of a window of so many ``(target, counts)`` parts; None without valid events.

    An objective that changed is not retroactive: each event is allowed for by the target of its own time.
    """
    valid = math.fsum(c.valid for _, c in parts)
    if not valid:
        return None
    allowed = math.fsum((1 - t) * c.valid for t, c in parts)
    spent = math.fsum(c.bad for _, c in parts)
    remaining = 1 - spent / allowed if allowed else 1 - spent
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
    return read_all_burns([(slo, by_window, length)])[0]


def read_all_burns(
    slices: Iterable[tuple[Slo, Mapping[timedelta, Counts], timedelta]],
) -> list[tuple[BurnReading, ...]]:
    """:func:`read_burns` of many slices: bounds are worked out for all of them at once, which costs little more than for one."""
    read: list[list[BurnReading]] = []
    doubtful: list[tuple[int, int, Counts, float | None, float]] = []
    for slo, by_window, length in slices:
        found: list[BurnReading] = []
        for pair in slo.policy.windows:
            reading = _read(slo, pair, by_window, length)
            if reading.over and not slo.zero_tolerance:
                # Only where a point is over the line is it worth asking how sure that is.
                heaviest = _weight_of_good(by_window[max(by_window)] if by_window else Counts())
                line = reading.factor * (1 - slo.target)
                doubtful.append((len(read), len(found), by_window.get(pair.long, Counts()), heaviest, line))
            found.append(reading)
        read.append(found)
    bounds = _bounds([(counts, heaviest) for _, _, counts, heaviest, _ in doubtful])
    for (row, column, _, _, line), bound in zip(doubtful, bounds, strict=True):
        read[row][column] = replace(read[row][column], sure=bound > line)
    return [tuple(found) for found in read]


def _bounds(asked: Sequence[tuple[Counts, float | None]]) -> list[float]:
    """Lower bounds of the bad ratio; with the weight of a good event where it is known."""
    out = [0.0] * len(asked)
    for known in (False, True):
        places = [n for n, (_, weight) in enumerate(asked) if (weight is not None) is known]
        if places:
            listed = [asked[n][0] for n in places]
            good, bad, good_squares, bad_squares = np.array(
                [(c.good, c.bad, *c.squares) for c in listed], dtype=float
            ).T
            weights = np.array([asked[n][1] for n in places], dtype=float) if known else None
            found = lower_bounds(good, bad, good_squares, bad_squares, good_weight=weights)
            for place, bound in zip(places, found.tolist(), strict=True):
                out[place] = bound
    return out


def _weight_of_good(counts: Counts) -> float | None:
    """What a good event weighs in a slice's sampling. A tail sampler that keeps few of them may have kept none in a short window,
    and the errors seen there would look like all there was."""
    return counts.squares[0] / counts.good if counts.sampled and counts.good else None


def _read(slo: Slo, pair: BurnWindow, by_window: Mapping[timedelta, Counts], length: timedelta) -> BurnReading:
    long, short = by_window.get(pair.long, Counts()), by_window.get(pair.short, Counts())
    factor = 0.0 if slo.zero_tolerance else pair.factor(length)
    return BurnReading(pair, factor, burn_rate(long, slo.target), burn_rate(short, slo.target))


def windows_of(slo: Slo) -> set[timedelta]:
    """Every rolling window that judging this SLO needs."""
    own = set() if slo.calendar else {slo.window}
    return own | {span for pair in slo.policy.windows for span in (pair.long, pair.short)}
