"""What is known of each hour before anything is blamed: bad events by the finest dimensions, what is normal, what else happened.

Pure.

Arrays have one column per hour of the cube, oldest first. Events are kept in steps of 1/1024, so that sums of parts are exact
whatever their order: binary fractions of this size add up without rounding to 8.8·10¹².
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.cube import Cube, Key, share_of
from sloengine.evaluate.interval import bad_ratio_bounds, lower_bounds
from sloengine.model import Group, Slo, Unknown

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STEPS = 1024.0
HISTORY_H = 168
"""Hours before an hour that say what is normal then."""
HISTORY_H_MIN = 24
"""With fewer hours of events among them nothing is known to be normal."""
BLOCKS_H = (1, 6, 24)
DAY_H = 24
CONFIDENCE = 0.99
"""Hundreds of hours are tested for each slice."""
EVENTS_MIN = 30.0
"""A comparison with fewer events than this looks for better ones."""
DRIVER = "edge.driver.version"
UNIT = ("model", "version", "region", "gateway", "rollout", "hardware", DRIVER)
FRESHNESS = "nodes.heard"
GAUGES = ("system.cpu.utilization", "system.memory.utilization", "hw.gpu.utilization")
DRIFT = "drift.psi"
EVIDENCE = (FRESHNESS, *GAUGES, DRIFT)
"""Measures that may say why; those that an SLO counts itself are no evidence for it."""


class Cause(StrEnum):
    """What spent a budget, the most specific first."""

    ROLLOUT = "rollout"
    HARDWARE = "hardware"
    CONNECTIVITY = "connectivity"
    RESOURCES = "resources"
    DRIFT = "drift"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Tally:
    """Good and bad events and their squared weights; shape (…, hours)."""

    good: Floats
    bad: Floats
    good_squares: Floats
    bad_squares: Floats

    @property
    def valid(self) -> Floats:
        return self.good + self.bad

    @property
    def ratio(self) -> Floats:
        """Bad over valid events; NaN without any."""
        valid = self.valid
        return np.divide(self.bad, valid, out=np.full_like(valid, np.nan), where=valid > 0)

    def map(self, change: Callable[[Floats], Floats]) -> Tally:
        return Tally(*(change(a) for a in (self.good, self.bad, self.good_squares, self.bad_squares)))

    def of(self, rows: Bools) -> Tally:
        """The sum of some rows; shape (hours,)."""
        return self.map(lambda a: np.asarray(a[rows].sum(axis=0)))

    def left(self, bad: Floats) -> Tally:
        """The same with fewer bad events."""
        kept = np.divide(bad, self.bad, out=np.zeros_like(bad), where=self.bad > 0)
        return replace(self, bad=self.bad * kept, bad_squares=self.bad_squares * kept)


@dataclass(frozen=True, slots=True)
class Units:
    """Everything that an SLO counted, by slice and finest dimensions: one row each."""

    groups: tuple[Group, ...]
    """Of each row the slice that it belongs to."""
    names: tuple[tuple[str, ...], ...]
    """Of each row its values of ``UNIT``; empty where buckets don't tell."""
    tally: Tally
    bridged: Floats
    """Events whose minute is not exactly known: counters' increases across an outage."""

    def column(self, name: str) -> NDArray[np.str_]:
        place = UNIT.index(name)
        return np.array([values[place] for values in self.names], dtype=str)

    def of_group(self, group: Group) -> Bools:
        return np.array([own == group for own in self.groups], dtype=bool)


def units_of(slo: Slo, cube: Cube) -> Units:
    """Rows of every slice, from a cube whose bands are hours. Unknown events count as the SLO's policy says."""
    owners: dict[tuple[Group, tuple[str, ...]], list[tuple[int, tuple[float, float, float]]]] = {}
    measures = (s.measure for s in slo.sli.good + slo.sli.bad + slo.sli.total)
    for place in cube.places(measures, slo.service):
        key = cube.keys[place]
        share = share_of(slo, key)
        if share is not None:
            owner = (tuple((n, key.get(n)) for n in slo.by), tuple(key.get(n) for n in UNIT))
            owners.setdefault(owner, []).append((place, (share.good, share.bad, share.unknown)))
    rows = [_unit(slo, cube, parts) for parts in owners.values()]
    table = np.array(rows) if rows else np.zeros((0, 5, len(cube.cuts)))
    groups, names = [g for g, _ in owners], [n for _, n in owners]
    groups, names, table = _untold(groups, names, table)
    good, bad, good_squares, bad_squares, bridged = (table[:, n] for n in range(5))
    return Units(tuple(groups), tuple(names), _tally(good, bad, good_squares, bad_squares), bridged)


def _unit(slo: Slo, cube: Cube, parts: Sequence[tuple[int, tuple[float, float, float]]]) -> Floats:
    """Good, bad, their squares, bridged; shape (5, hours)."""
    places, shares = [p for p, _ in parts], np.array([s for _, s in parts]).T
    figures = {name: table[places] for name, table in cube.figures.items()}
    unweighted = figures["Unweighted"].sum(axis=0)
    events, squares = shares @ figures["Events"], np.abs(shares) @ figures["Squares"]
    unknown = events[2] + unweighted
    for side, policy in ((0, Unknown.GOOD), (1, Unknown.BAD)):
        if slo.unknown is policy:
            events[side] += unknown
            squares[side] += squares[2] + unweighted
    exact = np.array_equal(figures["Events"], figures["Squares"])
    bridged = np.abs(shares[:2]).sum(axis=0) @ figures["Bridged"]
    return np.array([*events[:2], *(events[:2] if exact else squares[:2]), bridged])


def _untold(
    groups: list[Group], names: list[tuple[str, ...]], table: Floats
) -> tuple[list[Group], list[tuple[str, ...]], Floats]:
    """Where two metrics don't fit together row by row (a negative count), the hour of the slice is one row without dimensions."""
    wrong: Bools = np.any(table[:, :2] < -0.5 / STEPS, axis=1)
    for group in dict.fromkeys(g for g, bad in zip(groups, wrong, strict=True) if bad.any()):
        mine = np.array([g == group for g in groups])
        hours = wrong[mine].any(axis=0)
        whole = np.where(hours, table[mine].sum(axis=0), 0.0)
        table = np.where(mine[:, None, None] & hours, 0.0, table)
        groups, names = [*groups, group], [*names, ("",) * len(UNIT)]
        wrong = np.concatenate([wrong, np.zeros((1, wrong.shape[1]), bool)])
        table = np.concatenate([table, whole[None]])
    return groups, names, table


def _tally(good: Floats, bad: Floats, good_squares: Floats, bad_squares: Floats) -> Tally:
    """Not negative, in whole steps, and squares exactly where there are events: intervals ask for that."""
    good, bad = (np.round(np.maximum(a, 0.0) * STEPS) / STEPS for a in (good, bad))
    good_squares, bad_squares = (
        np.where(events > 0, np.where(squares > 0, squares, events), 0.0)
        for events, squares in ((good, good_squares), (bad, bad_squares))
    )
    return Tally(good, bad, good_squares, bad_squares)


# --- what is normal, and what is surely more than that


def normal(own: Tally, rest: Tally | None = None) -> Floats:
    """The usual bad ratio of each hour; NaN where nothing tells. Shape (hours,).

    The median of the hourly ratios of the seven days before; where more than half of those hours hold no bad event, of six hours
    together, or of days. With less than a day of events among them it is the rest of the fleet's ratio in the hour itself.
    """
    bad, valid = _before(own.bad), _before(own.valid)
    level = np.zeros(len(own.bad))
    for hours in BLOCKS_H:
        shape = (len(bad), HISTORY_H // hours, hours)
        found = _median(bad.reshape(shape).sum(axis=2), valid.reshape(shape).sum(axis=2))
        level = np.where(level > 0, level, found)
    known = (valid > 0).sum(axis=1) >= HISTORY_H_MIN
    return np.where(known, level, np.nan if rest is None else rest.ratio)


def _before(values: Floats) -> Floats:
    """For each hour the ``HISTORY_H`` before it, a copy; 0 before the first. Shape (hours, HISTORY_H)."""
    padded = np.concatenate([np.zeros(HISTORY_H), values])[:-1]
    return (
        np.array(np.lib.stride_tricks.sliding_window_view(padded, HISTORY_H))
        if len(values)
        else np.zeros((0, HISTORY_H))
    )


def _median(bad: Floats, valid: Floats) -> Floats:
    """Median of the ratios in each row, of those that have events; 0 where none has."""
    ratios: Floats = np.sort(np.divide(bad, valid, out=np.full_like(valid, np.inf), where=valid > 0), axis=1)
    count = (valid > 0).sum(axis=1)
    low, high = (
        np.take_along_axis(ratios, n[:, None], axis=1)[:, 0] for n in (np.maximum(count - 1, 0) // 2, count // 2)
    )
    some = count > 0
    middle: Floats = (np.where(some, low, 0.0) + np.where(some, high, 0.0)) / 2
    return middle


def trailing(own: Tally, hours: int = DAY_H) -> Tally:
    """Sums of each hour with those before it, ``hours`` in all."""

    def summed(values: Floats) -> Floats:
        total = np.concatenate([np.zeros(hours), np.cumsum(values)])
        # Differences of running sums may be a hair below 0.
        return np.asarray(np.maximum(0.0, np.round(total[hours:] - total[:-hours], 6)))

    return own.map(summed)


def worse(own: Tally, peers: Tally) -> Bools:
    """Hours in which the 99 % intervals of the two bad ratios don't overlap, and ``own`` is the higher one."""
    pooled = own.bad + peers.bad
    ask = (peers.valid > 0) & _may_be(own, peers.ratio, pooled / np.maximum(own.valid + peers.valid, 1e-9))
    low, high = np.zeros(len(ask)), np.ones(len(ask))
    mine, theirs = own.map(lambda a: a[ask]), peers.map(lambda a: a[ask])
    low[ask] = bad_ratio_bounds(mine.good, mine.bad, mine.good_squares, mine.bad_squares, CONFIDENCE)[0]
    high[ask] = bad_ratio_bounds(theirs.good, theirs.bad, theirs.good_squares, theirs.bad_squares, CONFIDENCE)[1]
    return np.asarray(ask & (low > high))


def _may_be(own: Tally, level: Floats, spread: Floats) -> Bools:
    """Where it is worth asking: the ratio is a standard error and a half above a level.

    Exact intervals cost a thousand times more, and at 99 % are never narrower. ``spread``: the ratio of that standard error.
    """
    valid, some = own.valid, (own.bad > 0) & ~np.isnan(level)
    error = np.sqrt(np.nan_to_num(spread) * (1 - np.nan_to_num(spread)) / np.maximum(valid, 1.0))
    return np.asarray(some & (own.bad > (np.nan_to_num(level) + 1.5 * error) * valid))


def worse_lately(own: Tally, peers: Tally) -> Bools:
    """Worse in the hour itself, or over the day up to it: few events an hour prove little."""
    return worse(own, peers) | worse(trailing(own), trailing(peers))


def raised(own: Tally, level: Floats) -> Bools:
    """Hours in which the bad ratio is above ``level`` with 99 % confidence; never where the level is not known."""
    ask = _may_be(own, level, level)
    low = np.zeros(len(ask))
    mine = own.map(lambda a: a[ask])
    low[ask] = lower_bounds(mine.good, mine.bad, mine.good_squares, mine.bad_squares, CONFIDENCE)
    return np.asarray(ask & (low > np.where(np.isnan(level), np.inf, level)))


# --- what else happened


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that was going on in some hours, in some part of the fleet."""

    cause: Cause
    measure: str
    place: tuple[tuple[str, str], ...]
    """Dimensions that it is about; what is not named is everything."""
    hours: Bools
    said: str

    def reaches(self, place: Mapping[str, str]) -> bool:
        return all(place.get(name, value) == value for name, value in self.place)


def signals_of(slo: Slo, cube: Cube) -> tuple[Signal, ...]:
    """What other measures of the SLO's service say about its hours."""
    own = {s.measure for s in slo.sli.selectors}
    out: list[Signal] = []
    for measure in EVIDENCE:
        if measure not in own:
            places = cube.places([measure], slo.service)
            out += _drifting(cube, places) if measure == DRIFT else _unusual(cube, measure, places)
    return tuple(out)


def looked_at(slo: Slo, cube: Cube) -> frozenset[str]:
    """Names of the evidence measures that the buckets hold and the SLO does not count itself."""
    own = {s.measure for s in slo.sli.selectors}
    keys = [cube.keys[place] for place in cube.places(EVIDENCE, slo.service)]
    # Values that nobody cut say nothing of a limit.
    return frozenset(k.measure for k in keys if k.measure not in own and (k.measure == FRESHNESS or k.get("gt")))


def _unusual(cube: Cube, measure: str, places: Sequence[int]) -> list[Signal]:
    """Silence, or time above the highest cut, that is surely more than normal in a region behind a gateway.

    Minutes of silence and seconds of load come in runs: five minutes count as one observation.
    """
    keys = {place: cube.keys[place] for place in places}
    worst = _silent if measure == FRESHNESS else _above(keys.values())
    length = 5.0 if measure == FRESHNESS else 300.0
    cause = Cause.CONNECTIVITY if measure == FRESHNESS else Cause.RESOURCES
    out: list[Signal] = []
    for place, held in _by(keys, ("region", "gateway")).items():
        bad, good = (
            np.maximum(0.0, cube.figures["Events"][[p for p in held if worst(keys[p]) is side]].sum(axis=0) / length)
            for side in (True, False)
        )
        tally = Tally(good, bad, good, bad)
        level = normal(tally)
        hours = raised(tally, level)
        if hours.any():
            out.append(Signal(cause, measure, place, hours, _told(measure, tally, level, hours)))
    return out


def _silent(key: Key) -> bool | None:
    return {"false": True, "true": False}.get(key.get("heard"))


def _above(keys: Iterable[Key]) -> Callable[[Key], bool | None]:
    """Whether a band of values lies above the highest cut; None without one: nobody cut the values."""
    highest = max((float(key.get("gt") or "-inf") for key in keys), default=-np.inf)
    return lambda key: float(key.get("gt") or "-inf") >= highest if highest > -np.inf else None


def _drifting(cube: Cube, places: Sequence[int]) -> list[Signal]:
    """Hours with a drift index over the highest cut; the index has its own test of significance."""
    keys = {place: cube.keys[place] for place in places}
    over = _above(keys.values())
    out: list[Signal] = []
    for place, held in _by(keys, ("model", "version", "region", "gateway")).items():
        events = cube.figures["Events"][[p for p in held if over(keys[p])]].sum(axis=0)
        if (events > 0).any():
            out.append(Signal(Cause.DRIFT, DRIFT, place, events > 0, f"{DRIFT} over its limit"))
    return out


def _by(keys: Mapping[int, Key], dimensions: Sequence[str]) -> dict[tuple[tuple[str, str], ...], list[int]]:
    found: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for place, key in keys.items():
        found.setdefault(tuple((n, v) for n in dimensions if (v := key.get(n))), []).append(place)
    return found


def _told(measure: str, tally: Tally, level: Floats, hours: Bools) -> str:
    share = float(tally.bad[hours].sum() / tally.valid[hours].sum())
    what = "of node time unheard" if measure == FRESHNESS else f"of the time {measure} above its limit"
    return f"{share:.1%} {what}, normal {float(np.mean(level[hours])):.1%}"
