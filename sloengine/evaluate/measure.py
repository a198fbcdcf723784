"""From the cube to what an SLO measured in each of its slices and windows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.burn import windows_of
from sloengine.evaluate.cube import COVERED, Cube, Matches, Slice, sums, without
from sloengine.evaluate.exclusions import MINUTE, concern, cuts, mask, occurrences
from sloengine.evaluate.fleet import Spread, spread_of_events, spread_of_nodes
from sloengine.evaluate.periods import (
    RollingWindow,
    Window,
    bounds,
    floor_minute,
    targets_between,
)
from sloengine.model import Counts, Exclusion, Group, Quantifier, Slo, Unknown, Weighting

OTHER = "other"
"""Name of the slice that holds what the cardinality budget folds away."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice of an SLO: what was counted, in its own window and in each alert window."""

    group: Group
    window: Counts
    spans: Mapping[timedelta, Counts]
    last: datetime | None
    """The newest minute that holds data."""
    versions: Mapping[str, Counts] = field(default_factory=dict)
    """Counts of the shortest alert window by model version."""
    parts: tuple[tuple[float, Counts], ...] = ()
    """The window in parts of one target each; empty: the SLO's target all along."""
    excluded: Counts = field(default_factory=Counts)
    """What was counted in excluded time of the window: not in ``window``, but not hidden."""
    nodes: Mapping[str, Counts] = field(default_factory=dict)
    """Counts of the window by node or site, where the SLO weighs or quantifies over them."""
    folded: int = 0
    """Slices beyond the cardinality budget that this one, called ``other``, holds."""
    spread: Spread | None = None
    """How much the nodes (or sites) behind the window differ, where buckets tell them apart."""


def window_of(slo: Slo) -> Window:
    """The SLO's own window."""
    return slo.calendar or RollingWindow(slo.window)


def _own(slo: Slo) -> set[timedelta]:
    """The SLO's window where it is a rolling one. A calendar period is none, though it may be as long as one."""
    return set() if slo.calendar else {slo.window}


def windows(slos: Iterable[Slo]) -> list[Window]:
    """Every window that judging these SLOs needs."""
    listed = list(slos)
    spans = {span for slo in listed for span in windows_of(slo)}
    return [window_of(slo) for slo in listed if slo.calendar] + [RollingWindow(span) for span in sorted(spans)]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which bands an SLO's windows are made of; the same for all SLOs of one window and policy."""

    spans: tuple[timedelta, ...]
    """The alert windows that are not its own window."""
    targets: tuple[float, ...]
    """Of the parts of its window, if its target changed."""
    table: NDArray[np.float64]
    """A row of bands for its window, each part, each span."""
    shortest: NDArray[np.float64]
    """One row: the shortest alert window."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The bands of time that all SLOs are measured in."""

    edges: tuple[datetime, ...]
    """Neighbours enclose a band; the last band begins at the last edge and is the minute that has just begun."""
    _known: dict[tuple[datetime, datetime | None], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """A thousand SLOs ask for the same few windows."""
    _asked: dict[tuple[object, ...], Asked] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def at(self) -> datetime:
        return self.edges[-1]

    def bands(self, lo: datetime, hi: datetime | None = None) -> NDArray[np.float64]:
        """1 for each band of ``[lo, hi)``, else 0; without ``hi`` up to now, the minute that has just begun included."""
        if (lo, hi) not in self._known:
            now = hi is None or hi > self.at
            bands = [*mask(self.edges, lo, self.at if hi is None else min(hi, self.at), ()), now]
            self._known[lo, hi] = np.array(bands, dtype=float)
        return self._known[lo, hi]

    def asked(self, slo: Slo) -> Asked:
        """What measuring this SLO takes."""
        key = (slo.window, slo.calendar, slo.policy, slo.targets)
        if key not in self._asked:
            self._asked[key] = _asked(slo, self)
        return self._asked[key]


def _asked(slo: Slo, frame: Frame) -> Asked:
    lo, _ = bounds(window_of(slo), frame.at)
    spans = sorted(windows_of(slo) - _own(slo))
    parts = _parts(slo, lo, frame.at)
    rows = [frame.bands(lo), *(frame.bands(a, b) for a, b, _ in parts)]
    rows += [frame.bands(floor_minute(frame.at - span)) for span in spans]
    shortest = min((pair.short for pair in slo.policy.windows), default=slo.window)
    row = frame.bands(floor_minute(frame.at - shortest))[np.newaxis]
    return Asked(tuple(spans), tuple(target for *_, target in parts), np.array(rows), row)


def frame_of(slos: Iterable[Slo], exclusions: Iterable[Exclusion], at: datetime) -> Frame:
    """Bands such that every window, exclusion and dated part of these SLOs is a union of them.

    Raises:
        TooManyCuts: exclusions cut time into more bands than a tick can ask for.
    """
    listed = list(slos)
    found = cuts(windows(listed), exclusions, (t for slo in listed for t in slo.targets), at)
    return Frame(tuple(found or [floor_minute(at)]))


def exclude(cube: Cube, exclusions: Iterable[Exclusion], frame: Frame) -> Cube:
    """The cube without the time that does not count for what each key is about."""
    out: dict[int, NDArray[np.float64]] = {}
    for exclusion in exclusions:
        spans = occurrences(exclusion, frame.edges[0], frame.at + MINUTE)
        bands = np.max([frame.bands(*span) for span in spans], axis=0, initial=0.0) if spans else None
        if bands is None:
            continue
        concerned = concern(exclusion)
        for place, key in enumerate(cube.keys):
            if concerned(key):
                out[place] = np.maximum(out.get(place, 0.0), bands)
    return without(cube, out)


def measure(slo: Slo, cube: Cube, whole: Cube, frame: Frame, matches: Matches) -> list[Measured]:
    """What each slice of an SLO measured. ``cube`` is without excluded time, ``whole`` with it."""
    asked = frame.asked(slo)
    spans, targets, table = asked.spans, asked.targets, asked.table
    covered = _covered(slo, cube, table[0])
    versions = _versions(slo, cube, asked.shortest, matches)
    out: list[Measured] = []
    for slice_, folded in _within_budget(slo, cube, matches):
        found, nodes = _counts(slo, cube, slice_, table)
        spread = _spread(slo, cube, slice_, (table, found[0]), nodes)
        by_span = dict(zip(spans, found[1 + len(targets) :], strict=True))
        window = found[0] + Counts(covered_s=covered.get(_known(slice_.group), 0.0))
        out.append(
            Measured(
                group=slice_.group,
                window=window,
                spans={**by_span, **dict.fromkeys(_own(slo), window)},
                last=whole.newest(slice_.places),
                versions=versions.get(slice_.group, {}),
                parts=tuple(zip(targets, found[1 : 1 + len(targets)], strict=True)),
                excluded=_excluded(slo, cube, whole, slice_, table[:1]),
                nodes=nodes,
                folded=folded,
                spread=spread,
            )
        )
    return out


def _parts(slo: Slo, lo: datetime, hi: datetime) -> list[tuple[datetime, datetime | None, float]]:
    """The window in parts of one target each; nothing where the target is the same throughout."""
    if not slo.targets:
        return []
    found = targets_between(slo.targets, lo, hi)
    # The minute that has just begun belongs to the last part.
    return [(a, None if n + 1 == len(found) else b, t) for n, (a, b, t) in enumerate(found)]


def _excluded(slo: Slo, cube: Cube, whole: Cube, slice_: Slice, row: NDArray[np.float64]) -> Counts:
    if cube is whole:
        return Counts()
    kept, all_ = sums(cube, slice_, row)[0], sums(whole, slice_, row)[0]
    return Counts(all_.good - kept.good, all_.bad - kept.bad, all_.unknown - kept.unknown)


# --- slices within the cardinality budget


def _within_budget(slo: Slo, cube: Cube, matches: Matches) -> list[tuple[Slice, int]]:
    """The SLO's slices; beyond ``slices_max`` the rest are one slice called ``other``. Who came first stays."""
    found = matches.slices(slo, cube)
    kept, rest = matches.admit(slo, found)
    out = [(slice_, 0) for slice_ in kept]
    if rest:
        group = tuple((name, OTHER) for name in slo.by)
        places = np.concatenate([s.places for s in rest])
        out.append((Slice(group, places, np.concatenate([s.shares for s in rest], axis=1)), len(rest)))
    return out


# --- counts, by the SLO's own policy


def _counts(
    slo: Slo, cube: Cube, slice_: Slice, rows: NDArray[np.float64]
) -> tuple[list[Counts], Mapping[str, Counts]]:
    """Counts for each row of masks, weighed and quantified as the SLO says; and the first row's by node or site."""
    if slo.weighting is Weighting.EVENTS and slo.quantifier is None:
        return [under_policy(slo.unknown, c) for c in sums(cube, slice_, rows)], {}
    dimension = "gateway" if slo.weighting is Weighting.SITES else "device"
    by_unit = {
        name: [under_policy(slo.unknown, c) for c in sums(cube, part, rows)]
        for name, part in _units(cube, slice_, dimension).items()
    }
    found = [_over_units(slo, {name: counts[row] for name, counts in by_unit.items()}) for row in range(len(rows))]
    return found, {name: counts[0] for name, counts in by_unit.items()}


def _spread(
    slo: Slo, cube: Cube, slice_: Slice, window: tuple[NDArray[np.float64], Counts], nodes: Mapping[str, Counts]
) -> Spread | None:
    """Failures cluster by node: what that makes of the window's ratio. ``window``: its masks, of which the first row is asked,
    and what it counted.

    A promise over nodes already takes each as one event.
    """
    if slo.quantifier is not None:
        return None
    if slo.weighting is not Weighting.EVENTS:
        return spread_of_nodes(nodes)
    codes, names = cube.layout.column("device")
    own = codes[slice_.places]
    if len(names) < 2 or (own == own[0]).all():
        return None
    # Few keys are numbered anew: a table over all devices for each device's own slice would grow with their square.
    number = own if 4 * len(own) > len(names) else np.unique(own, return_inverse=True)[1]
    masks, whole = window
    figures, shares = cube.windows(masks), slice_.shares.astype(np.float64)
    events = figures[0, slice_.places, 0]
    good, bad = (np.bincount(number, share * events) for share in shares[:2])
    if slo.unknown is not Unknown.IGNORE:
        unknown = np.bincount(number, shares[2] * events + figures[2, slice_.places, 0])
        good, bad = (good + unknown, bad) if slo.unknown is Unknown.GOOD else (good, bad + unknown)
    return spread_of_events(np.maximum(good, 0.0), np.maximum(bad, 0.0), whole)


def _units(cube: Cube, slice_: Slice, dimension: str) -> dict[str, Slice]:
    """A slice taken apart by node or site."""
    columns: dict[str, list[int]] = {}
    for column, place in enumerate(slice_.places):
        columns.setdefault(cube.keys[place].get(dimension), []).append(column)
    return {
        name: Slice(slice_.group, slice_.places[held], slice_.shares[:, held]) for name, held in sorted(columns.items())
    }


def _over_units(slo: Slo, by_unit: Mapping[str, Counts]) -> Counts:
    """Nodes or sites as the events: each counts once, by its ratio, or by whether it keeps the promise."""
    if slo.quantifier is not None:
        return _quantified(slo.quantifier, by_unit)
    valid = [c for c in by_unit.values() if c.valid]
    good = sum(c.good / c.valid for c in valid)
    return Counts(good=good, bad=len(valid) - good, unknown=len(by_unit) - len(valid))


def _quantified(promise: Quantifier, by_unit: Mapping[str, Counts]) -> Counts:
    valid = sorted((c.bad / c.valid, name) for name, c in by_unit.items() if c.valid)
    missing = len(by_unit) - len(valid)
    if not promise.worst:
        good = sum(1 - ratio >= promise.target for ratio, _ in valid)
        return Counts(good=good, bad=len(valid) - good, unknown=missing)
    worst = valid[-max(1, round(promise.share * len(valid))) :] if valid else []
    return sum((by_unit[name] for _, name in worst), Counts())


def under_policy(policy: Unknown, counts: Counts) -> Counts:
    """What can't be told, counted as the SLO's own policy says."""
    if policy is Unknown.IGNORE or not counts.unknown:
        return counts
    squares = counts.squares if counts.sampled else (None, None)
    as_good = policy is Unknown.GOOD
    side = 0 if as_good else 1
    grown = [None if s is None else s + counts.unknown * (place == side) for place, s in enumerate(squares)]
    return replace(
        counts,
        good=counts.good + counts.unknown * as_good,
        bad=counts.bad + counts.unknown * (not as_good),
        good_squares=grown[0],
        bad_squares=grown[1],
    )


# --- beside the counts


def _versions(slo: Slo, cube: Cube, row: NDArray[np.float64], matches: Matches) -> dict[Group, dict[str, Counts]]:
    """Counts of the shortest alert window by model version: what an on-call engineer asks next."""
    found: dict[Group, dict[str, Counts]] = {}
    for slice_ in matches.slices(slo, cube, (*slo.by, "version")):
        found.setdefault(slice_.group[: len(slo.by)], {})[slice_.group[-1][1]] = sums(cube, slice_, row)[0]
    return found


def _known(group: Group) -> Group:
    """The part of a slice that coverage is known by: nodes have a service, a region and a gateway, whatever models they run."""
    return tuple(pair for pair in group if pair[0] in ("service", "region", "gateway"))


def _covered(slo: Slo, cube: Cube, row: NDArray[np.float64]) -> dict[Group, float]:
    found: dict[Group, float] = {}
    for place in cube.places([COVERED], slo.service):
        group = _known(tuple((name, cube.keys[place].get(name)) for name in slo.by))
        found[group] = found.get(group, 0.0) + float(cube.figures["Events"][place] @ row)
    return found
