"""An SLO replayed over past minutes: when it would have alerted and what it would have cost. Pure.

Window sums are differences of cumulative sums, so a step costs the same whatever the window. What an alert is, when it ends and
the guard by the lower bound are those of ``burn.py``, ``judge.py`` and the engine's episodes; a test holds this to the engine.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.exclusions import MINUTE
from sloengine.evaluate.interval import lower_bounds
from sloengine.evaluate.judge import stale_after
from sloengine.evaluate.measure import evidence_of, window_of
from sloengine.evaluate.periods import bounds, floor_minute, targets_between
from sloengine.evaluate.promises import Evidence
from sloengine.model import BurnWindow, Severity, Slo, Unknown, Weighting

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Minutes:
    """What one slice counted minute by minute; each table has shape (units, minutes)."""

    start: datetime
    good: Floats
    bad: Floats
    unknown: Floats
    good_squares: Floats
    bad_squares: Floats
    inexact: Floats
    """Shape (minutes,): above 0 where events don't all weigh 1."""
    told: Bools
    """Shape (minutes,): whether anything was received."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode as it would have been."""

    severity: Severity
    begin: datetime
    end: datetime | None
    """None: it would still fire."""
    peak: float
    """Highest burn over the long window of a pair that alerted."""
    onset: datetime | None
    """When the budget began to burn faster than it lasts, by the shortest window; None if that was before the first step."""

    @property
    def delay(self) -> timedelta | None:
        return None if self.onset is None else self.begin - self.onset


@dataclass(frozen=True, slots=True)
class Replay:
    """One slice replayed."""

    alerts: tuple[Alert, ...]
    firing: dict[Severity, timedelta]
    """How long each severity would have fired."""
    remaining: float | None
    """Budget left at the end; None without valid events in the window."""
    least: float | None
    """The least that was left at any step."""
    spent: float
    """Bad events from the first step to the last, as a share of what the whole window's budget was worth at the end."""
    bad: float
    good: float


@dataclass(frozen=True, slots=True)
class _Sums:
    """Counts of one window at every step; shape (steps,)."""

    good: Floats
    bad: Floats
    good_squares: Floats
    bad_squares: Floats
    within: Evidence | None = None
    """What the nodes' own events know, where nodes or sites are the events."""

    @property
    def valid(self) -> Floats:
        return self.good + self.bad

    @property
    def ratio(self) -> Floats:
        """NaN without valid events."""
        out: Floats = np.full(len(self.bad), np.nan)
        np.divide(self.bad, self.valid, out=out, where=self.valid > 0)
        return out


@dataclass(frozen=True, slots=True)
class _Track:
    """One slice ready to be asked for windows: cumulative tables with a leading 0, and the steps."""

    slo: Slo
    minutes: Minutes
    tables: dict[str, Floats]
    ends: Places
    """Each step's end: it sees minutes before this place."""
    times: list[datetime]
    begins: Places
    """Where the SLO's own window begins at each step."""
    lengths: Floats
    """How long that window is, in seconds: a calendar period has its own."""
    sampled: Bools
    """Whether any event in any of a step's windows does not weigh 1."""

    def before(self, span: timedelta) -> Places:
        return np.maximum(self.ends - span // MINUTE, 0)


def reach_of(slo: Slo) -> timedelta:
    """How far before a step its windows begin, at most."""
    # A calendar period may be longer than its name says: a quarter has up to 92 days.
    own = slo.window * 1.1 + timedelta(days=1) if slo.calendar else slo.window
    return max([own, *(pair.long for pair in slo.policy.windows)])


def replay(slo: Slo, minutes: Minutes, steps: Sequence[datetime], *, resolve_after: timedelta) -> Replay:
    """Judge a slice at every step: whole minutes, ascending, equally far apart. A step sees the minutes before it.

    Raises:
        ValueError: no step, or one beyond what ``minutes`` holds.
    """
    track = _track(slo, minutes, steps)
    targets = _targets(slo, steps)
    own = _counted(track, track.begins)
    weights = _weights(track)
    pairs = [_pair(track, pair, targets, weights) for pair in slo.policy.windows]
    remaining = 1 - _spent(track, own, targets)
    alerts, firing = _episodes(track, pairs, resolve_after)
    last = [float(x) for x in remaining[~np.isnan(remaining)]]
    within = _counted(track, np.full(len(steps), track.ends[0]))
    good, bad = float(within.good[-1]), float(within.bad[-1])
    worth = float(own.valid[-1] * (1 - targets[-1]))
    return Replay(
        alerts=tuple(alerts),
        firing=firing,
        remaining=None if np.isnan(remaining[-1]) else float(remaining[-1]),
        least=min(last, default=None),
        spent=bad / worth if worth else float(bad > 0),
        bad=bad,
        good=good,
    )


# --- sums over windows, for all steps at once


def _track(slo: Slo, minutes: Minutes, steps: Sequence[datetime]) -> _Track:
    if not steps:
        raise ValueError("a replay needs at least one step")
    ends = np.array([(floor_minute(at) - minutes.start) // MINUTE for at in steps], dtype=np.intp)
    if ends[0] < 0 or ends[-1] > minutes.good.shape[1]:
        raise ValueError("a step lies outside of the minutes given")
    names = ("good", "bad", "unknown", "good_squares", "bad_squares")
    tables = {name: _running(getattr(minutes, name)) for name in names}
    begins, lengths = _own_window(slo, minutes.start, ends, steps)
    longest = max((pair.long for pair in slo.policy.windows), default=timedelta())
    weighed = _running(minutes.inexact[np.newaxis])[0]
    sampled = weighed[ends] > weighed[np.minimum(begins, np.maximum(ends - longest // MINUTE, 0))]
    return _Track(slo, minutes, tables, ends, list(steps), begins, lengths, sampled)


def _by_events(slo: Slo) -> bool:
    return slo.quantifier is None and slo.weighting is Weighting.EVENTS


def _running(table: Floats) -> Floats:
    out = np.zeros((table.shape[0], table.shape[1] + 1))
    np.cumsum(table, axis=1, out=out[:, 1:])
    return out


def _weights(track: _Track) -> Floats:
    """What a good event stands for, of each unit and step, where the longest window knows it; else 0."""
    slo = track.slo
    longest = max((pair.long for pair in slo.policy.windows), default=timedelta())
    begins = track.before(longest) if slo.calendar else track.begins
    parts = [_of_unit(track, unit, begins) for unit in range(len(track.minutes.good))]
    heavy = track.sampled if _by_events(slo) else np.ones(len(track.ends), dtype=np.bool_)
    rows = [np.divide(p.good_squares, p.good, out=np.zeros_like(p.good), where=heavy & (p.good > 0)) for p in parts]
    return np.array(rows)


def _counted(track: _Track, begins: Places, weights: Floats | None = None) -> _Sums:
    """Sums of [begin, end) at each step, by the SLO's own policies, as ``measure.py`` makes them.

    ``weights``: to know as well how sure a mean of nodes or a promise over them is.
    """
    slo, steps = track.slo, len(track.ends)
    units = len(track.minutes.good)
    parts = [_of_unit(track, unit, begins) for unit in range(units)]
    if _by_events(slo):
        return parts[0]
    good, valid = np.zeros(steps), np.zeros(steps)
    for part in parts:
        ratio = part.ratio
        counted = ~np.isnan(ratio)
        share = 1 - np.where(counted, ratio, 1)
        good += share if slo.quantifier is None else counted & (share >= slo.quantifier.target)
        valid += counted
    if weights is None:
        return _Sums(good, valid - good, good, valid - good)
    names = ("good", "bad", "good_squares", "bad_squares")
    g, b, g2, b2 = (np.array([getattr(part, name) for part in parts]) for name in names)
    return _Sums(good, valid - good, good, valid - good, evidence_of(slo.quantifier, (g, b, g2, b2), weights))


def _of_unit(track: _Track, unit: int, begins: Places) -> _Sums:
    def between(name: str) -> Floats:
        table = track.tables[name][unit]
        sums: Floats = np.maximum(0.0, np.round(table[track.ends] - table[begins], 6))
        return sums

    good, bad, unknown = between("good"), between("bad"), between("unknown")
    good_squares, bad_squares = good, bad
    if track.sampled.any():
        good_squares = np.where(track.sampled, between("good_squares"), good)
        bad_squares = np.where(track.sampled, between("bad_squares"), bad)
    match track.slo.unknown:
        case Unknown.GOOD:
            return _Sums(good + unknown, bad, good_squares + unknown, bad_squares)
        case Unknown.BAD:
            return _Sums(good, bad + unknown, good_squares, bad_squares + unknown)
    return _Sums(good, bad, good_squares, bad_squares)


def _own_window(slo: Slo, first: datetime, ends: Places, steps: Sequence[datetime]) -> tuple[Places, Floats]:
    """Where the SLO's own window begins at each step, and its length in seconds."""
    if not slo.calendar:
        return np.maximum(ends - slo.window // MINUTE, 0), np.full(len(ends), slo.window.total_seconds())
    begins, lengths = np.zeros(len(ends), dtype=np.intp), np.zeros(len(ends))
    place = 0
    while place < len(steps):
        start, end = bounds(window_of(slo), steps[place])
        stop = bisect_left(steps, end)
        begins[place:stop] = max(0, (floor_minute(start) - first) // MINUTE)
        lengths[place:stop] = (end - start).total_seconds()
        place = stop
    return begins, lengths


def _targets(slo: Slo, steps: Sequence[datetime]) -> Floats:
    """The target of each step's own time."""
    if not slo.targets:
        return np.full(len(steps), slo.target)
    parts = targets_between(slo.targets, steps[0], steps[-1] + MINUTE)
    return np.array([next(t for a, b, t in parts if a <= at < b) for at in steps])


def _spent(track: _Track, own: _Sums, targets: Floats) -> Floats:
    """Share of the budget that is spent at each step; NaN without valid events. Each event by the target of its own time."""
    slo = track.slo
    allowed = own.valid * (1 - targets)
    if slo.targets and _by_events(slo):
        minutes = [track.minutes.start + n * MINUTE for n in range(track.minutes.good.shape[1])]
        rates = 1 - _targets(slo, minutes)
        valid = track.minutes.good + track.minutes.bad + track.minutes.unknown * (slo.unknown is not Unknown.IGNORE)
        table = _running(valid * rates)[0]
        allowed = table[track.ends] - table[track.begins]
    # Where nothing bad is allowed the budget is whole or gone.
    share = np.divide(own.bad, allowed, out=(own.bad > 0).astype(np.float64), where=allowed > 0)
    return np.where(own.valid > 0, share, np.nan)


# --- alerts


@dataclass(frozen=True, slots=True)
class _Pair:
    window: BurnWindow
    long: Floats
    short: Floats
    over: Bools
    """Where both points are over the factor: an alert that fires goes on."""
    exceeded: Bools
    """Where that is sure as well: an alert begins."""


def _pair(track: _Track, pair: BurnWindow, targets: Floats, weights: Floats) -> _Pair:
    long, short = (_counted(track, track.before(span), weights) for span in (pair.long, pair.short))
    if track.slo.zero_tolerance:
        burns = [np.where(s.valid > 0, s.bad, np.nan) for s in (long, short)]
        over = (burns[0] > 0) & (burns[1] > 0)
        return _Pair(pair, burns[0], burns[1], over, over)
    factor = pair.budget_share * (track.lengths / pair.long.total_seconds())
    allowed = 1 - targets
    long_burn, short_burn = long.ratio / allowed, short.ratio / allowed
    over = (long_burn > factor) & (short_burn > factor)
    exceeded = over.copy()
    exceeded[over] = _surely(long, over, weights[0]) > (factor * allowed)[over]
    return _Pair(pair, long_burn, short_burn, over, exceeded)


def _surely(sums: _Sums, chosen: Bools, weight: Floats) -> Floats:
    """The bound that the bad ratio is above, at the chosen steps; asked only where a point is over the line."""
    if sums.within is not None:
        return sums.within.at(chosen).surely_above() if chosen.any() else np.zeros(0)
    good, bad, g2, b2 = (x[chosen] for x in (sums.good, sums.bad, sums.good_squares, sums.bad_squares))
    # Where nothing says what a good event weighs, what is seen does: bad ones, else 1.
    seen = np.divide(b2, bad, out=np.ones_like(bad), where=bad > 0)
    heaviest = np.where(weight[chosen] > 0, weight[chosen], seen)
    return lower_bounds(good, bad, g2, b2, good_weight=heaviest) if len(good) else np.zeros(0)


def _episodes(
    track: _Track, pairs: Sequence[_Pair], resolve_after: timedelta
) -> tuple[list[Alert], dict[Severity, timedelta]]:
    """Begin and end of each episode, by the rules of ``alert/episodes.py``: quiet for long enough, and not blind."""
    steps = len(track.ends)
    stale = _stale(track) & ~_any((p.exceeded for p in pairs), steps)
    onsets = _onsets(track, pairs)
    nothing = np.zeros(steps, bool)
    pages = _runs(track, _Signs(pairs, Severity.PAGE, stale, nothing), resolve_after)
    paging = nothing.copy()
    for begin, end in pages:
        paging[begin:end] = True
    tickets = _runs(track, _Signs(pairs, Severity.TICKET, stale, paging), resolve_after)
    alerts = [_alert(track, pairs, s, run, onsets) for s, found in _by_severity(pages, tickets) for run in found]
    each = timedelta() if steps < 2 else track.times[1] - track.times[0]
    firing = {s: sum((b - a for a, b in found), 0) * each for s, found in _by_severity(pages, tickets)}
    return sorted(alerts, key=lambda a: (a.begin, a.severity)), firing


Runs = list[tuple[int, int]]


def _by_severity(pages: Runs, tickets: Runs) -> Iterator[tuple[Severity, Runs]]:
    yield Severity.PAGE, pages
    yield Severity.TICKET, tickets


class _Signs:
    """What decides about one severity at each step, as plain lists."""

    def __init__(self, pairs: Sequence[_Pair], severity: Severity, stale: Bools, covered: Bools) -> None:
        mine = [p for p in pairs if p.window.severity is severity]
        steps = len(stale)
        self.begins: list[bool] = (_any((p.exceeded for p in mine), steps) & ~covered).tolist()
        self.holds: list[bool] = _any((p.over for p in mine), steps).tolist()
        self.blind: list[bool] = (stale | _any((np.isnan(p.short) for p in mine), steps)).tolist()


def _any(masks: Iterable[Bools], steps: int) -> Bools:
    out = np.zeros(steps, bool)
    for mask in masks:
        out |= mask
    return out


def _runs(track: _Track, signs: _Signs, resolve_after: timedelta) -> Runs:
    """Places [begin, end) of each episode."""
    found: Runs = []
    begun, last = -1, -1
    for n, (begins, holds, blind) in enumerate(zip(signs.begins, signs.holds, signs.blind, strict=True)):
        if begun < 0:
            begun = last = n if begins else -1
        elif holds:
            last = n
        elif not blind and track.times[n] - track.times[last] >= resolve_after:
            found.append((begun, n))
            begun = -1
    return [*found, (begun, len(signs.begins))] if begun >= 0 else found


def _stale(track: _Track) -> Bools:
    told = track.minutes.told
    newest = np.maximum.accumulate(np.where(told, np.arange(len(told)), -(10**9)))
    age = track.ends - np.concatenate([[-(10**9)], newest])[track.ends]
    limit = stale_after(track.slo)
    return np.asarray(age > (limit / MINUTE if limit else np.inf))


def _onsets(track: _Track, pairs: Sequence[_Pair]) -> list[int]:
    """For each step the last one up to it at which the shortest window burned no faster than the budget lasts; -1 if none."""
    if not pairs:
        return [-1] * len(track.ends)
    shortest = min(pairs, key=lambda p: p.window.short).short
    calm = np.isnan(shortest) | (shortest <= (0 if track.slo.zero_tolerance else 1))
    return [int(n) for n in np.maximum.accumulate(np.where(calm, np.arange(len(calm)), -1))]


def _alert(
    track: _Track, pairs: Sequence[_Pair], severity: Severity, run: tuple[int, int], onsets: Sequence[int]
) -> Alert:
    begin, end = run
    mine = [p for p in pairs if p.window.severity is severity]
    peak = max(float(np.max(p.long[begin:end], where=p.over[begin:end], initial=0.0)) for p in mine)
    onset = onsets[begin]
    last = len(track.times)
    return Alert(
        severity,
        track.times[begin],
        track.times[end] if end < last else None,
        peak,
        track.times[onset] if onset >= 0 else None,
    )
