"""From the cube to what SLOs measured in each of their slices and windows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.burn import windows_of
from sloengine.evaluate.cube import Cube, without
from sloengine.evaluate.exclusions import MINUTE, concerned, cuts, mask, occurrences
from sloengine.evaluate.fleet import Spread, spread_of_events, spread_of_nodes, within_nodes
from sloengine.evaluate.periods import (
    RollingWindow,
    Window,
    bounds,
    floor_minute,
    targets_between,
)
from sloengine.evaluate.plan import Matches, Plan
from sloengine.evaluate.promises import Evidence, OfPromise, worst_of
from sloengine.evaluate.tally import Floats, Tally, over_policy, tally, tally_of
from sloengine.model import Counts, Exclusion, Group, Quantifier, Slo, Unknown


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
    """How much the nodes behind the window's ratio differ; None where buckets don't tell them apart."""
    within: Mapping[timedelta, Evidence] = field(default_factory=dict)
    """Of each alert window what the nodes' own events know, where the SLO weighs or quantifies over them; shape ()."""


NOTHING: Mapping[str, Counts] = {}
NONE = Counts()


@dataclass(frozen=True, slots=True)
class Batch:
    """What the slices of SLOs of one window and burn policy measured; :class:`Measured` of each, as columns."""

    listed: tuple[Slo, ...]
    """All SLOs; some may have no slice."""
    slos: tuple[Slo, ...]
    """Of each slice."""
    groups: tuple[Group, ...]
    tally: Tally
    """First the window, then its parts of one target each, then the alert windows."""
    targets: tuple[tuple[float, ...], ...]
    """Of each slice, those of the parts."""
    spans: Mapping[timedelta, int]
    """The column of each alert window."""
    covered_s: tuple[float, ...]
    last: tuple[datetime | None, ...]
    versions: Sequence[Mapping[str, Counts]]
    excluded: Sequence[Counts]
    nodes: Mapping[int, Mapping[str, Counts]]
    """By number of the slice."""
    folded: tuple[int, ...]
    spreads: Mapping[int, Spread]
    """By number of the slice, where buckets tell nodes apart."""
    within: Mapping[int, Mapping[timedelta, Evidence]]
    """By number of the slice and alert window, where its SLO weighs or quantifies over nodes or sites; shape ()."""


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
    row = frame.bands(floor_minute(frame.at - shortest(slo)))[np.newaxis]
    return Asked(tuple(spans), tuple(target for *_, target in parts), np.array(rows), row)


def shortest(slo: Slo) -> timedelta:
    """The shortest window that an alert of the SLO looks at: over it versions are told apart."""
    return min((pair.short for pair in slo.policy.windows), default=slo.window)


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
        if not spans:
            continue
        bands = np.max([frame.bands(*span) for span in spans], axis=0)
        for place in np.flatnonzero(concerned(exclusion, cube.layout)):
            out[int(place)] = np.maximum(out[int(place)], bands) if int(place) in out else bands
    return without(cube, out)


def measure(slo: Slo, cube: Cube, whole: Cube, frame: Frame, matches: Matches) -> list[Measured]:
    """What each slice of an SLO measured. ``cube`` is without excluded time, ``whole`` with it.

    Raises:
        ValueError: the SLO can't be matched with keys.
    """
    found = matches.plans([slo], cube)
    for _, reason in found.failed:
        raise ValueError(reason)
    return [item for plan in found.plans for item in _apart(measure_plan(plan, cube, whole, frame))]


def measure_plan(plan: Plan, cube: Cube, whole: Cube, frame: Frame) -> Batch:
    """:func:`measure` of many slices at once."""
    asked = frame.asked(plan.listed[0])
    first = 1 + len(asked.targets)
    spans = {
        **{span: first + n for n, span in enumerate(asked.spans)},
        **dict.fromkeys(_own(plan.listed[0]), 0),
    }
    found, nodes, within = _tallied(plan, cube, asked.table, spans)
    slices = range(len(plan.groups))
    return Batch(
        listed=plan.listed,
        slos=plan.slos,
        groups=plan.groups,
        tally=found,
        targets=(asked.targets,) * len(slices),
        spans=spans,
        covered_s=_covered_s(plan, cube, asked.table),
        last=_last(plan, whole),
        versions=_versions(plan, cube, asked.shortest),
        excluded=_excluded(plan, cube, whole, asked.table[:1]),
        nodes=nodes,
        folded=plan.folded,
        spreads=_spreads(plan, cube, asked.table, found, nodes),
        within=within,
    )


def _apart(batch: Batch) -> list[Measured]:
    """One object for each slice."""
    rows = batch.tally.counts()
    out = []
    for n, (group, row) in enumerate(zip(batch.groups, rows, strict=True)):
        window = row[0] + Counts(covered_s=batch.covered_s[n])
        spans = {span: window if column == 0 else row[column] for span, column in batch.spans.items()}
        parts = tuple(zip(batch.targets[n], row[1:], strict=False))
        beside = batch.versions[n], parts, batch.excluded[n], batch.nodes.get(n, NOTHING), batch.folded[n]
        known = batch.spreads.get(n), batch.within.get(n, {})
        out.append(Measured(group, window, spans, batch.last[n], *beside, *known))
    return out


def batch_of(slo: Slo, measured: Sequence[Measured]) -> Batch:
    """The same as columns; a window that a slice has no counts of is empty."""
    spans = sorted({span for item in measured for span in item.spans})
    most = max((len(item.parts) for item in measured), default=0)
    rows = [
        [
            item.window,
            *(counts for _, counts in item.parts),
            *(NONE for _ in range(most - len(item.parts))),
            *(item.spans.get(span, NONE) for span in spans),
        ]
        for item in measured
    ]
    return Batch(
        listed=(slo,),
        slos=(slo,) * len(measured),
        groups=tuple(item.group for item in measured),
        tally=tally_of(rows),
        targets=tuple(tuple(target for target, _ in item.parts) for item in measured),
        spans={span: 1 + most + n for n, span in enumerate(spans)},
        covered_s=tuple(item.window.covered_s for item in measured),
        last=tuple(item.last for item in measured),
        versions=[item.versions for item in measured],
        excluded=[item.excluded for item in measured],
        nodes={n: item.nodes for n, item in enumerate(measured) if item.nodes},
        folded=tuple(item.folded for item in measured),
        spreads={n: item.spread for n, item in enumerate(measured) if item.spread is not None},
        within={n: item.within for n, item in enumerate(measured) if item.within},
    )


def _parts(slo: Slo, lo: datetime, hi: datetime) -> list[tuple[datetime, datetime | None, float]]:
    """The window in parts of one target each; nothing where the target is the same throughout."""
    if not slo.targets:
        return []
    found = targets_between(slo.targets, lo, hi)
    # The minute that has just begun belongs to the last part.
    return [(a, None if n + 1 == len(found) else b, t) for n, (a, b, t) in enumerate(found)]


# --- counts, by the SLO's own policy


def _tallied(
    plan: Plan, cube: Cube, rows: Floats, spans: Mapping[timedelta, int]
) -> tuple[Tally, Mapping[int, Mapping[str, Counts]], Mapping[int, Mapping[timedelta, Evidence]]]:
    """Counts for each row of masks, weighed and quantified as the SLOs say; the first row's by node or site; and what these know
    in each alert window."""
    found = by_policy(plan.slos, tally(cube, plan.stack, rows))
    if not plan.units:
        return found, {}, {}
    listed = found.counts()
    nodes, within = {}, {}
    for number, (names, parts) in plan.units.items():
        slo = plan.slos[number]
        each = by_policy((slo,) * len(names), tally(cube, parts, rows))
        by_unit = dict(zip(names, each.counts(), strict=True))
        listed[number] = [_over_units(slo, {name: c[row] for name, c in by_unit.items()}) for row in range(len(rows))]
        nodes[number] = {name: c[0] for name, c in by_unit.items()}
        if spans:
            within[number] = _within(slo.quantifier, each, spans)
    return tally_of(listed), nodes, within


def _within(promise: Quantifier | None, each: Tally, spans: Mapping[timedelta, int]) -> Mapping[timedelta, Evidence]:
    longest = spans[max(spans)]
    good, squares = each.good[:, longest], each.good_squares[:, longest]
    weights = np.divide(squares, good, out=np.zeros_like(good), where=good > 0)[:, np.newaxis]
    found = evidence_of(promise, (each.good, each.bad, each.good_squares, each.bad_squares), weights)
    return {span: found.at(column) for span, column in spans.items()}


def evidence_of(promise: Quantifier | None, sums: tuple[Floats, Floats, Floats, Floats], weights: Floats) -> Evidence:
    """What nodes' own events know of their mean, or of a promise over them.

    Args:
        promise: None: each node weighs the same.
        sums: good, bad and their squares, each of shape (nodes, windows).
        weights: what a good event of each node stands for where a longer window knows it, else 0; shape (nodes, windows) or
            (nodes, 1).
    """
    if promise is None:
        return within_nodes(sums, weights)
    return OfPromise(promise, *sums, np.broadcast_to(weights, sums[0].shape))


def by_policy(slos: Sequence[Slo], found: Tally) -> Tally:
    """What can't be told, counted as each slice's SLO says."""
    as_good = np.array([slo.unknown is Unknown.GOOD for slo in slos], dtype=np.bool_)
    as_bad = np.array([slo.unknown is Unknown.BAD for slo in slos], dtype=np.bool_)
    return over_policy(found, as_good, as_bad)


def under_policy(policy: Unknown, counts: Counts) -> Counts:
    """:func:`by_policy` of one count."""
    flags = (np.array([policy is side], dtype=np.bool_) for side in (Unknown.GOOD, Unknown.BAD))
    return over_policy(tally_of([[counts]]), *flags).counts()[0][0]


def _over_units(slo: Slo, by_unit: Mapping[str, Counts]) -> Counts:
    """Nodes or sites as the events: each counts once, by its ratio, or by whether it keeps the promise."""
    if slo.quantifier is not None:
        return _quantified(slo.quantifier, by_unit)
    valid = [c for c in by_unit.values() if c.valid]
    good = sum(c.good / c.valid for c in valid)
    counts = Counts(good=good, bad=len(valid) - good, unknown=len(by_unit) - len(valid))
    if not any(c.sampled for c in valid):
        return counts
    # A mean of estimates is one, and must be marked as such.
    good_squares, bad_squares = (sum(c.squares[side] / c.valid**2 for c in valid) for side in (0, 1))
    return replace(counts, good_squares=good_squares, bad_squares=bad_squares if counts.bad else 0.0)


def _quantified(promise: Quantifier, by_unit: Mapping[str, Counts]) -> Counts:
    """``by_unit`` in order of name, so that of equal nodes the same are the worst from tick to tick."""
    valid = [c for c in by_unit.values() if c.valid]
    ratios = np.array([c.bad / c.valid for c in valid])
    if not promise.worst:
        good = int(np.sum(1 - ratios >= promise.target))
        return Counts(good=good, bad=len(valid) - good, unknown=len(by_unit) - len(valid))
    return sum((valid[place] for place in worst_of(ratios, promise.share)), Counts())


# --- beside the counts


def _excluded(plan: Plan, cube: Cube, whole: Cube, row: Floats) -> Sequence[Counts]:
    if cube is whole:
        return [NONE] * len(plan.groups)
    pairs = zip(tally(cube, plan.stack, row).column(0), tally(whole, plan.stack, row).column(0), strict=True)
    return [Counts(all_.good - kept.good, all_.bad - kept.bad, all_.unknown - kept.unknown) for kept, all_ in pairs]


def _spreads(
    plan: Plan, cube: Cube, rows: Floats, found: Tally, nodes: Mapping[int, Mapping[str, Counts]]
) -> dict[int, Spread]:
    """Failures cluster by node: what that makes of the window's ratio, where buckets tell nodes apart. ``rows``: masks, of which
    the first is the window."""
    spreads = {n: spread_of_nodes(own) for n, own in nodes.items() if plan.slos[n].quantifier is None}
    if plan.nodes:
        figures, wholes = cube.windows(rows), found.column(0)
        spreads |= {n: _spread(plan, n, own, figures, wholes[n]) for n, own in plan.nodes.items()}
    return {n: spread for n, spread in spreads.items() if spread is not None}


def _spread(plan: Plan, number: int, own: NDArray[np.intp], figures: Floats, whole: Counts) -> Spread | None:
    cells = slice(int(plan.stack.starts[number]), int(plan.stack.starts[number]) + len(own))
    places, shares = plan.stack.places[cells], plan.stack.shares[:, cells].astype(np.float64)
    events, unweighted = figures[0, places, 0], figures[2, places, 0]
    good, bad, unknown = (np.bincount(own, share * events) for share in shares)
    match plan.slos[number].unknown:
        case Unknown.GOOD:
            good += unknown + np.bincount(own, unweighted)
        case Unknown.BAD:
            bad += unknown + np.bincount(own, unweighted)
    return spread_of_events(np.maximum(good, 0.0), np.maximum(bad, 0.0), whole)


def _versions(plan: Plan, cube: Cube, row: Floats) -> Sequence[Mapping[str, Counts]]:
    """Counts of the shortest alert window by model version: what an on-call engineer asks next."""
    out: list[dict[str, Counts]] = [{} for _ in plan.groups]
    for (number, version), counts in zip(plan.version_of, tally(cube, plan.versions, row).column(0), strict=True):
        out[number][version] = counts
    return out


def _last(plan: Plan, whole: Cube) -> tuple[datetime | None, ...]:
    """The newest minute in which any key of each slice holds data."""
    if not plan.groups:
        return ()
    seconds = np.maximum.reduceat(whole.last_s[plan.stack.places], plan.stack.starts).tolist()
    moments = {second: datetime.fromtimestamp(second, UTC) if second else None for second in set(seconds)}
    return tuple(moments[second] for second in seconds)


def _covered_s(plan: Plan, whole: Cube, table: Floats) -> tuple[float, ...]:
    """Seconds of telemetry in the window, of what is known of each slice."""
    cover = plan.cover
    most = cover.of.max(initial=0) + 1
    seconds = np.bincount(cover.owners, whole.windows(table)[0, cover.places, 0], most)
    return tuple(seconds[cover.of].tolist())
