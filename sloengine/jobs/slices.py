"""Slices: a verdict per entity and slice of time, for every SLO that has a rule for them, into the same buckets as everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from sloengine.evaluate.cube import Key
from sloengine.evaluate.exclusions import absences, concern, occurrences, untold
from sloengine.evaluate.periods import Interval
from sloengine.evaluate.slices import (
    Entity,
    Judged,
    Reason,
    Told,
    Verdict,
    cell_of,
    due_slices,
    events_of,
    gaps,
    inventory_tells,
    judge_slice,
    kept_of,
    named,
    nameless,
    names_of,
    rule_of,
    slice_start,
    spans,
    sums_of,
    unheard,
)
from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import COLUMNS, Derived
from sloengine.jobs.fold import Run
from sloengine.jobs.marks import drop_marks, mark_name, move_marks, read_marks
from sloengine.jobs.parameters import few
from sloengine.marked import PREFIX
from sloengine.model import DIMENSIONS, Exclusion, Slo
from sloengine.rollup.folds import folds_of
from sloengine.rollup.plan import floor_hour
from sloengine.store.client import Row
from sloengine.times import utc

REACH = timedelta(days=39)
"""How far back a new rule is applied and a late slice is judged again, if the SLO's window isn't longer."""
LONGEST = timedelta(hours=6)
"""Slices that are read at once span no more, or one slice: memory stays bounded."""
TRUSTED = timedelta(minutes=2)
WITHOUT = ".without."
BucketKey = tuple[object, ...]


def derive_slices(engine: Deps, hours: set[datetime], now: datetime, run: Run) -> set[datetime]:
    """Judge slices that ended since the last time and ended ones that a touched hour is part of; the hours that changed.

    One query for all SLOs whose slices are equally long and that have come equally far.
    """
    if not any(slo.sli.slices for slo in engine.catalogue.slos):
        return set()
    exclusions = engine.catalogue.exclusions
    names = {slo.name: _mark(slo, exclusions) for slo in engine.catalogue.slos if slo.sli.slices}
    changed: set[datetime] = set()
    for (length, mark), slos in _groups(engine, names, _marks(engine, names.values())).items():
        end, oldest = slice_start(now, length), now - max(REACH, *(slo.window for slo in slos))
        begin = mark if mark is not None else _begin(engine, slos, oldest, end)
        seen = _Seen.of(engine, [names[slo.name] for slo in slos], now)
        if mark is None:
            seen.forget()
        # Nothing that a new rule asks for lies before its begin, whatever else was touched there.
        reach = begin if mark is None else oldest
        for span in spans(due_slices(hours, (begin, end), reach, length), length, LONGEST):
            changed |= _judge_changed(engine, _Pass(tuple(slos), length, span, end, oldest), seen, run)
        if mark != end:
            move_marks(engine, ((names[slo.name], max(end, mark or end)) for slo in slos))
    return changed


def _groups(
    engine: Deps, names: Mapping[str, str], marks: Mapping[str, datetime]
) -> dict[tuple[timedelta, datetime | None], list[Slo]]:
    found: dict[tuple[timedelta, datetime | None], list[Slo]] = {}
    for slo in engine.catalogue.slos:
        if slo.sli.slices:
            found.setdefault((slo.sli.slices.length, marks.get(names[slo.name])), []).append(slo)
    return found


def _mark(slo: Slo, exclusions: Sequence[Exclusion]) -> str:
    """What is taken out of a rule's sums is a part of the rule: it begins with the rule's own mark."""
    own = mark_name("slices", slo.name, slo.service, slo.where, names_of(slo), slo.sli.slices)
    out = _taken_out(slo, exclusions)
    return f"{own}{WITHOUT}{mark_name('', *out).lstrip(':')}" if out else own


def _marks(engine: Deps, names: Collection[str]) -> dict[str, datetime]:
    """How far each rule has come. One that was judged with other exclusions since must begin anew, should they come back."""
    found = read_marks(engine, "slices")
    rules = {name.partition(WITHOUT)[0] for name in names}
    drop_marks(engine, [name for name in found if name.partition(WITHOUT)[0] in rules and name not in names])
    return found


def _taken_out(slo: Slo, exclusions: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """Exclusions that a verdict can't be asked of, because what they name is summed into it: they are taken out of the sums."""
    names = names_of(slo)
    return tuple(exclusion for exclusion in exclusions if untold(exclusion, names))


def _measure(slo: Slo) -> str:
    return f"slice:{slo.name}"


def _begin(engine: Deps, slos: Sequence[Slo], oldest: datetime, end: datetime) -> datetime:
    """A new rule has a past: since something was counted, or a node was expected to be heard."""
    found = engine.store.rows("slice_begin", measures=few(_sources(slos)), **{"from": oldest})[0]
    first = [utc(found["Begin"])] if found["Found"] else []
    services = {slo.service for slo in slos if inventory_tells(slo)}
    first += [node.since for node in engine.catalogue.nodes if node.service in services]
    length = rule_of(slos[0]).length
    return min(max(slice_start(min(first), length), slice_start(oldest, length) + length), end) if first else end


def _sources(slos: Iterable[Slo]) -> list[str]:
    return sorted({s.measure for slo in slos for s in rule_of(slo).numerator + rule_of(slo).denominator})


# --- one span of slices, all rules of one length


@dataclass(frozen=True, slots=True)
class _Pass:
    slos: tuple[Slo, ...]
    length: timedelta
    span: tuple[datetime, datetime]
    end: datetime
    """Where the slice begins that has not ended yet: nothing is judged after it."""
    oldest: datetime

    @property
    def starts(self) -> list[datetime]:
        lo, hi = self.span
        return [lo + i * self.length for i in range((hi - lo) // self.length)]


@dataclass(slots=True)
class _Rows:
    """What should be stored and what is, of the rows that were looked at."""

    fresh: dict[BucketKey, float] = field(default_factory=dict)
    stored: dict[BucketKey, float] = field(default_factory=dict)

    def add(self, measure: str, row: Derived) -> None:
        key = (measure, *row.key)
        self.fresh[key] = round(self.fresh.get(key, 0.0) + row.events, 9)

    def settle(self, engine: Deps, run: Run) -> set[datetime]:
        """Write what differs; a stored row that should not be there is emptied."""
        changed = [k for k in {*self.fresh, *self.stored} if self.fresh.get(k, 0.0) != self.stored.get(k, 0.0)]
        columns = [
            "Measure",
            *COLUMNS,
            "Attributes",
            "Minute",
            "Events",
            "Squares",
            "Items",
            "Cause",
            "Before",
            "Revision",
        ]
        table: list[list[object]] = []
        for key in changed:
            events = self.fresh.get(key, 0.0)
            table.append(
                [*key, events, events, int(key in self.fresh), run.cause, self.stored.get(key, 0.0), run.revision]
            )
        engine.store.insert("count_minutes", columns, table)
        return {floor_hour(key[-1]) for key in changed if isinstance(key[-1], datetime)}


@dataclass(slots=True)
class _Seen:
    """What slices held when they were judged last. An hour of short slices is touched every tick, of which one has changed.

    Trusted for two minutes at a time: another replica may have judged since.
    """

    held: dict[tuple[int, datetime], tuple[int, datetime]]
    rules: int
    now: datetime

    @classmethod
    def of(cls, engine: Deps, names: Sequence[str], now: datetime) -> _Seen:
        held = engine.slices_seen
        for place in [place for place, (_, at) in held.items() if now - at > TRUSTED]:
            del held[place]
        return cls(held, hash((tuple(names), engine.catalogue.nodes)), now)

    def forget(self) -> None:
        """Of a rule that begins: another one may have judged since, and this is one that came back."""
        for place in [place for place in self.held if place[0] == self.rules]:
            del self.held[place]

    def changed(self, digests: Mapping[datetime, int]) -> list[datetime]:
        return [at for at, digest in digests.items() if self.held.get((self.rules, at), (None,))[0] != digest]

    def keep(self, digests: Mapping[datetime, int]) -> None:
        self.held.update({(self.rules, at): (digest, self.now) for at, digest in digests.items()})


def _judge_changed(engine: Deps, pass_: _Pass, seen: _Seen, run: Run) -> set[datetime]:
    told = _told(engine, pass_)
    digests = dict.fromkeys(pass_.starts, 0)
    for one in (one for listed in told.values() for one in listed):
        digests[one.start] ^= hash(one)
    changed: set[datetime] = set()
    for lo, hi in spans(seen.changed(digests), pass_.length, LONGEST):
        own = {name: [one for one in listed if lo <= one.start < hi] for name, listed in told.items()}
        changed |= _judge(engine, replace(pass_, span=(lo, hi)), own, run)
    seen.keep(digests)
    return changed


def _judge(engine: Deps, pass_: _Pass, told: Mapping[tuple[str, str], list[Told]], run: Run) -> set[datetime]:
    stored = _stored(engine, pass_)
    rows, silent = _Rows(), list[_Silence]()
    for slo in pass_.slos:
        before = stored.get(_measure(slo), [])
        rows.stored |= {_bucket(r): r["Events"] for r in before if _within(r, pass_.span)}
        mine = [one for name in _sources([slo]) for one in told.get((name, slo.service), ())]
        kept = kept_of(mine, _gone(_taken_out(slo, engine.catalogue.exclusions), pass_.span))
        heard = _judge_slo(slo, kept, rows)
        # An entity of which all is taken out is not silent, but a gateway whose other devices are is.
        told_of = heard if len(kept) == len(mine) else _heard(slo, mine)
        if inventory_tells(slo):
            _add_unheard(engine, pass_, slo, told_of if "device" in names_of(slo) else heard, rows)
        else:
            silent.append(_Silence.of(pass_, slo, told_of, before))
    _look_around(engine, pass_, silent)
    for silence in silent:
        _bridge(engine, pass_, silence, rows)
    return rows.settle(engine, run)


def _heard(slo: Slo, told: Iterable[Told]) -> dict[Entity, set[datetime]]:
    heard: dict[Entity, set[datetime]] = {}
    for entity, start in sums_of(slo, told):
        heard.setdefault(entity, set()).add(start)
    return heard


def _gone(exclusions: Sequence[Exclusion], span: Interval) -> Callable[[Told], bool]:
    """Whether any of these takes a piece out."""
    found = [(concern(exclusion), occurrences(exclusion, *span)) for exclusion in exclusions]
    asked = [(concerned, spans) for concerned, spans in found if spans]

    def gone(one: Told) -> bool:
        return PREFIX in one.key.attributes and any(
            any(a <= one.first < b for a, b in spans) and concerned(one.key) for concerned, spans in asked
        )

    return gone


def _edges(engine: Deps, pass_: _Pass) -> list[datetime]:
    """Where time begins and ends that exclusions take out of sums."""
    every = {e for slo in pass_.slos for e in _taken_out(slo, engine.catalogue.exclusions)}
    return sorted({edge for exclusion in every for span in occurrences(exclusion, *pass_.span) for edge in span})


def _told(engine: Deps, pass_: _Pass) -> dict[tuple[str, str], list[Told]]:
    """What the buckets hold in the span, by measure and service."""
    by_device = any("device" in f.detail for f in folds_of(pass_.slos))
    rows = engine.store.rows(
        "slice_sums",
        measures=few(_sources(pass_.slos)),
        nodewise=few(f.measure for f in folds_of(pass_.slos) if "device" in f.detail) if by_device else [""],
        length=int(pass_.length.total_seconds()),
        cell=int(cell_of(pass_.length).total_seconds()),
        edges=_edges(engine, pass_),
        **_bounds(pass_.span),
    )
    found: dict[tuple[str, str], list[Told]] = {}
    for r in rows:
        key = Key(r["Measure"], tuple(r[name] for name in DIMENSIONS), r["Attributes"])
        one = Told(key, utc(r["Slice"]), r["Events"], r["Unweighted"], r["Leaked"], r["Cells"], utc(r["First"]))
        found.setdefault((key.measure, r["service"]), []).append(one)
    return found


def _stored(engine: Deps, pass_: _Pass) -> dict[str, list[Row]]:
    """Verdicts as stored, with the slice before the span and the one after it."""
    lo, hi = pass_.span
    around = (lo - pass_.length, hi + pass_.length)
    found: dict[str, list[Row]] = {}
    for row in engine.store.rows("slice_verdicts", measures=few(_measure(s) for s in pass_.slos), **_bounds(around)):
        found.setdefault(row["Measure"], []).append(row)
    return found


def _bounds(span: tuple[datetime, datetime]) -> dict[str, datetime]:
    return {"lo": span[0], "hi": span[1]}


def _within(row: Row, span: tuple[datetime, datetime]) -> bool:
    return span[0] <= utc(row["Minute"]) < span[1]


def _bucket(row: Row) -> BucketKey:
    return (row["Measure"], *(row[c] for c in COLUMNS), row["Attributes"], utc(row["Minute"]))


# --- one rule


def _judge_slo(slo: Slo, told: Sequence[Told], rows: _Rows) -> dict[Entity, set[datetime]]:
    """Verdicts on what was heard; the slices that each entity was heard in."""
    heard: dict[Entity, set[datetime]] = {}
    rule = rule_of(slo)
    for (entity, start), sums in sums_of(slo, told).items():
        heard.setdefault(entity, set()).add(start)
        unnamed = nameless(slo, entity)
        judged = Judged(Verdict.UNKNOWN, reason=Reason.NAMELESS) if unnamed else judge_slice(rule, sums)
        for verdict, reason, share in events_of(rule, judged):
            rows.add(_measure(slo), _row(slo, entity, start, (verdict, reason), share))
    return heard


def _add_unheard(engine: Deps, pass_: _Pass, slo: Slo, heard: Mapping[Entity, set[datetime]], rows: _Rows) -> None:
    nodes, out = engine.catalogue.nodes, _taken_out(slo, engine.catalogue.exclusions)
    absent = absences(out, nodes, *pass_.span) if out else {}
    for start in pass_.starts:
        present = {entity for entity, starts in heard.items() if start in starts}
        whole = start, start + pass_.length
        for entity in unheard(slo, [n for n in nodes if not _away(absent.get(n, ()), whole)], start, present):
            rows.add(_measure(slo), _row(slo, entity, start))


def _away(spans: Iterable[Interval], whole: Interval) -> bool:
    """Whether a node was not expected all the time."""
    return any(a <= whole[0] and whole[1] <= b for a, b in spans)


def _row(
    slo: Slo,
    entity: Entity,
    start: datetime,
    said: tuple[Verdict, Reason | None] = (Verdict.UNKNOWN, Reason.MISSING),
    share: float = 1.0,
) -> Derived:
    dimensions, attributes = named(slo, entity)
    verdict, reason = said
    more = {"reason": reason.value} if reason else {}
    return Derived(start, share, dimensions, {**attributes, "verdict": verdict.value, **more})


# --- slices that nobody was heard in, between an entity's first and last data


Near = tuple[datetime | None, datetime | None]
"""The nearest slices with data before and after a span; None where there are none."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """Where the entities of one rule were heard in and around a span."""

    slo: Slo
    heard: Mapping[Entity, set[datetime]]
    near: dict[Entity, Near]

    @classmethod
    def of(cls, pass_: _Pass, slo: Slo, heard: Mapping[Entity, set[datetime]], before: Sequence[Row]) -> _Silence:
        """As far as the slices right beside the span tell."""
        (_, hi), last = pass_.span, pass_.span[0] - pass_.length
        known = set(heard) | {_entity(slo, r) for r in before if _within(r, pass_.span)}
        beside = {(_entity(slo, r), utc(r["Minute"])) for r in before if not _missing(r)}
        return cls(
            slo, heard, {e: (last if (e, last) in beside else None, hi if (e, hi) in beside else None) for e in known}
        )

    def settled(self, pass_: _Pass) -> bool:
        """Whether nothing has to be looked for further away."""
        return all(a is not None and (b is not None or pass_.span[1] >= pass_.end) for a, b in self.near.values())


def _look_around(engine: Deps, pass_: _Pass, silent: Sequence[_Silence]) -> None:
    """Find the nearest slices with data of those that have none right beside the span: one query for all of them."""
    open_ = {_measure(one.slo): one for one in silent if not one.settled(pass_)}
    if not open_:
        return
    reach = {"from": pass_.oldest, "until": pass_.end, **_bounds(pass_.span)}
    for row in engine.store.rows("slice_neighbours", measures=few(open_), **reach):
        one = open_.get(row["Measure"])
        entity = _entity(one.slo, row) if one else ()
        if one and entity in one.near:
            a, b = one.near[entity]
            one.near[entity] = (_newest(a, row["Before"]), _oldest(b, row["After"]))


def _bridge(engine: Deps, pass_: _Pass, silence: _Silence, rows: _Rows) -> None:
    """Slices in an entity's silence, also where it began before the span or ends after it."""
    (lo, hi), slo, near = pass_.span, silence.slo, silence.near
    outside = [at for ats in near.values() for at in ats if at]
    reach = (min([lo, *outside]), max([hi, *outside]))
    if reach[0] < lo - pass_.length or reach[1] > hi:
        for row in engine.store.rows("slice_verdicts", measures=[_measure(slo)], **_bounds(reach)):
            # What is stored of this silence outside the span: it must go if it is no longer between data.
            if not _within(row, pass_.span) and _missing(row) and _between(row, near.get(_entity(slo, row))):
                rows.stored[_bucket(row)] = row["Events"]
    for entity, ats in near.items():
        for start in gaps(silence.heard.get(entity, ()), *ats, pass_.length):
            rows.add(_measure(slo), _row(slo, entity, start))


def _between(row: Row, near: Near | None) -> bool:
    at = utc(row["Minute"])
    return near is not None and (near[0] is None or at > near[0]) and (near[1] is None or at < near[1])


def _newest(known: datetime | None, found: datetime | None) -> datetime | None:
    return max((utc(at) for at in (known, found) if at), default=None)


def _oldest(known: datetime | None, found: datetime | None) -> datetime | None:
    return min((utc(at) for at in (known, found) if at), default=None)


def _entity(slo: Slo, row: Row) -> Entity:
    dimensions = dict(zip(DIMENSIONS, (row[c] for c in COLUMNS), strict=True))
    attributes = _said(row["Attributes"])
    return tuple(dimensions.get(name) or attributes.get(name, "") for name in names_of(slo))


def _missing(row: Row) -> bool:
    return _said(row["Attributes"]).get("reason") == Reason.MISSING


@lru_cache(maxsize=65536)
def _said(text: str) -> Mapping[str, str]:
    return json.loads(text) if text else {}
