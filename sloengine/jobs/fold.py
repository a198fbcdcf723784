"""Fold: one gateway's minutes, recomputed whole from raw rows into counts and histograms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from sloengine.marked import Mark
from sloengine.model import Source
from sloengine.rollup.folds import Fold
from sloengine.rollup.plan import HOUR, Batch
from sloengine.rollup.roaming import Roaming
from sloengine.store.client import Store
from sloengine.times import unix_ms

MAX_SCALE = 6
"""Finest exponential-histogram scale that is kept: quantiles within 0.54 %."""
ATTEMPTS_WITHIN = timedelta(hours=1)
"""Attempts of one request lie within this of each other."""
DAYS_AT_ONCE = 7
"""A week of hours is refolded in bounded memory."""
COVERAGE = Fold(Source.SUM, "covered", "edge.inference.requests")


class Kind(StrEnum):
    """What is folded by statements of its own; each value is the end of one's name."""

    SUMS = "sums"
    EXPONENTIAL = "exponential"
    EXPLICIT = "explicit"
    GAUGES = "gauges"
    SPANS = "spans"
    LOGS = "logs"


SOURCE_OF = {
    Kind.SUMS: Source.SUM,
    Kind.EXPONENTIAL: Source.HISTOGRAM,
    Kind.EXPLICIT: Source.HISTOGRAM,
    Kind.GAUGES: Source.GAUGE,
    Kind.SPANS: Source.SPAN,
    Kind.LOGS: Source.LOG,
}
RAW = {
    Kind.SUMS: "otel_metrics_sum",
    Kind.EXPONENTIAL: "otel_metrics_exponential_histogram",
    Kind.EXPLICIT: "otel_metrics_histogram",
    Kind.GAUGES: "otel_metrics_gauge",
}
"""Tables whose rows are points of series."""
CUMULATIVE = (Kind.SUMS, Kind.EXPONENTIAL, Kind.EXPLICIT, Kind.GAUGES)
"""Kinds whose points depend on the one before them."""
Work = tuple[Kind, Batch]
Skew = tuple[str, datetime, datetime, int]
"""Device, received from, received until, milliseconds to add to its times."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The folds by where they read from; statements are handed parallel arrays."""

    folds: tuple[Fold, ...]

    def of(self, source: Source) -> tuple[Fold, ...]:
        return tuple(fold for fold in self.folds if fold.source is source)

    def names(self, source: Source) -> list[str]:
        return sorted({fold.name for fold in self.of(source)})

    def only(self, kind: Kind) -> Sources:
        return Sources(self.of(SOURCE_OF[kind]))

    @property
    def touching(self) -> dict[str, list[str]]:
        """Names whose raw rows touch buckets, as ``touched_minutes`` and its like want them."""
        return {
            "sums": self.names(Source.SUM),
            "histograms": self.names(Source.HISTOGRAM),
            "gauges": self.names(Source.GAUGE),
        }


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is known of what came in: clocks that are off, gateways that can't be trusted, devices that moved."""

    skew: tuple[Skew, ...] = ()
    quarantine: tuple[tuple[str, datetime, datetime], ...] = ()
    """Gateway, stored from, stored until."""
    roaming: Roaming = field(default_factory=Roaming)

    @property
    def margin_s(self) -> int:
        """How far from its minute an event's own time may lie."""
        return max((abs(shift) // 1000 + 1 for *_, shift in self.skew), default=0)

    def around(self, gateways: Iterable[str], since: datetime, until: datetime) -> dict[str, Any]:
        """What a statement takes that reads what some gateways delivered of a time."""
        wide = timedelta(seconds=self.margin_s) + ATTEMPTS_WITHIN
        return {**self.parameters, **self.roaming.around(gateways, since - wide, until + wide)}

    @property
    def parameters(self) -> dict[str, Any]:
        """Independent of what is read; of each device whose clock is, or was, off, its episodes stand in ``moves``."""
        return {**self.clocks, "margin": self.margin_s, "quarantine": list(self.quarantine)}

    @property
    def clocks(self) -> dict[str, Any]:
        """Episodes by device, as two parallel lists: ``asked_moves`` finds a device's by hash."""
        moves: dict[str, list[tuple[int, int, int]]] = {}
        for device, since, until, shift in self.skew:
            moves.setdefault(device, []).append((unix_ms(since), unix_ms(until), shift))
        return {"skewed": list(moves), "moves": [json.dumps(episodes) for episodes in moves.values()]}


@dataclass(frozen=True, slots=True)
class Run:
    """One pass of roll-up: what it writes with every row, and what it corrects."""

    revision: int
    cause: str
    corrections: Corrections


def fold_batch(store: Store, sources: Sources, work: Work, start: datetime, run: Run) -> int:
    """Recompute a batch; number of rows that changed. ``start``: how far back previous points are looked for."""
    kind, batch = work
    common = {
        "gateways": list(batch.gateways),
        "lo": batch.lo,
        "hi": batch.hi,
        "from": start,
        "cause": run.cause,
        "revision": run.revision,
        "raw": RAW.get(kind, ""),
        **run.corrections.around(batch.gateways, start, batch.hi),
    }
    written = 0
    for statement, folds in _statements(kind, sources):
        if folds:
            written += store.run(statement, **{**common, **_reach(statement, batch, common), **asked(folds)})
    return written


def _statements(kind: Kind, sources: Sources) -> list[tuple[str, Sequence[Fold]]]:
    folds = sources.of(SOURCE_OF[kind])
    found: list[tuple[str, Sequence[Fold]]] = [(f"fold_{kind}", folds)]
    if kind is Kind.SUMS:
        found.insert(0, ("fold_coverage", [_coverage(folds)]))
    if kind is Kind.SPANS:
        # Where nobody asks for requests, which is nearly everywhere, a span needs no other.
        plain, attempts = [f for f in folds if not f.request], [f for f in folds if f.request]
        return [("fold_spans", plain), ("fold_requests", attempts)]
    if kind in (Kind.EXPONENTIAL, Kind.EXPLICIT):
        # It reads what the one before it wrote.
        found.append(("band_histograms", [fold for fold in folds if fold.cuts]))
    return found


def _coverage(folds: Sequence[Fold]) -> Fold:
    """Of nodes, whatever they run: only exclusions that can be told of a node are."""
    return replace(COVERAGE, marks=tuple({m: None for fold in folds for m in fold.marks if m.of_nodes}))


def _reach(statement: str, batch: Batch, common: dict[str, Any]) -> dict[str, Any]:
    """What a statement needs beside the common: how far around the piece it reads, and its own flags."""
    match statement:
        case "fold_exponential":
            return {"exponential": True, "max_scale": MAX_SCALE}
        case "fold_explicit":
            return {"exponential": False}
        case "fold_requests":
            margin = common["margin"] + int(ATTEMPTS_WITHIN.total_seconds())
            return {"from": batch.lo, "margin": margin}
        case "fold_spans" | "fold_logs":
            return {"from": batch.lo}
        case _:
            return {}


def fold_hours(store: Store, hours: Iterable[datetime], revision: int, measures: Sequence[str] = ()) -> None:
    """Refold the hours in which a minute was recomputed, a day at a time, and these days; of all measures, or those named.

    Whoever writes ``count_minutes`` owes them this: windows read an hour's minutes as its last folding put them together.
    """
    ordered = sorted(hours)
    for part in _by_day(ordered):
        given = {**part, "measures": list(measures), "revision": revision}
        store.run("fold_hour_minutes", **given)
        store.run("fold_hours", **given)
    fold_days(store, ordered, revision)


def fold_histogram_hours(store: Store, hours: Iterable[datetime], revision: int, measures: Sequence[str]) -> None:
    """Refold the hours of these measures' histograms in which a minute was recomputed, a day at a time.

    Whoever writes ``histogram_minutes`` owes them this.
    """
    for part in _by_day(sorted(hours)) if measures else ():
        store.run("fold_histogram_hours", **part, measures=list(measures), revision=revision)


def _by_day(ordered: Iterable[datetime]) -> Iterator[dict[str, Any]]:
    """Hours of one day at a time, as statements want them: memory stays bounded."""
    for _, listed in groupby(ordered, key=datetime.date):
        part = list(listed)
        yield {"hours": part, "lo": part[0], "hi": part[-1] + HOUR}


def fold_days(store: Store, hours: Iterable[datetime], revision: int) -> None:
    """Refold the days in which an hour was refolded, a few at a time: whoever writes ``count_hours`` owes them this."""
    days = sorted({hour.replace(hour=0) for hour in hours})
    for n in range(0, len(days), DAYS_AT_ONCE):
        listed = days[n : n + DAYS_AT_ONCE]
        store.run("fold_days", days=listed, lo=listed[0], hi=listed[-1] + timedelta(days=1), revision=revision)


def asked(folds: Iterable[Fold]) -> dict[str, Any]:
    """Folds as parameters; what is asked of each is (measure, attributes, detail, cuts, request, name)."""
    listed = list(folds)
    return {
        "measures": [fold.measure for fold in listed],
        "names": sorted({fold.name for fold in listed}),
        "folds": [
            (f.measure, sorted([*f.asked, *(m.name for m in f.marks)]), list(f.detail), list(f.cuts), f.request, f.name)
            for f in listed
        ],
        "marks": marks_asked(mark for fold in listed for mark in fold.marks),
    }


def marks_asked(marks: Iterable[Mark]) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """Marks as a parameter: (name, (matcher's name, operator, value, pattern)); the pattern says what Python's fullmatch does."""
    return [(name, list(where)) for name, where in sorted({(m.name, _matchers(m)) for m in marks})]


def _matchers(mark: Mark) -> tuple[tuple[str, str, str, str], ...]:
    return tuple((m.name, m.op, m.value, rf"\A(?s:{m.value})\z" if "~" in m.op else "") for m in mark.where)
