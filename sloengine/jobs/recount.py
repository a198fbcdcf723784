"""Recount: from what came in to the minutes that it touches, and these recomputed whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sloengine.jobs.abreast import abreast
from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import (
    CUMULATIVE,
    SOURCE_OF,
    Corrections,
    Kind,
    Run,
    Sources,
    Work,
    asked,
    fold_batch,
)
from sloengine.model import Source
from sloengine.rollup.plan import MINUTE, Batch, Piece, batches, floor_minute, joined, pieces, room_of, runs
from sloengine.store.client import Row, Store
from sloengine.times import utc

RETENTION = timedelta(days=39)
"""A day less than the raw tables keep: a bucket is recomputed only while all its raw rows are there."""
LOOK_BACKS = (timedelta(hours=1), timedelta(days=2), RETENTION)
"""How far back a cumulative series' previous point is looked for: nearly always it is in the near past."""
CLOCK_AHEAD = timedelta(days=1)
"""Events further in the future than this are no clock that is off but nonsense, and are left alone."""


def believable(now: datetime) -> dict[str, datetime]:
    return {"oldest": floor_minute(now - RETENTION), "newest": now + CLOCK_AHEAD}


@dataclass(frozen=True, slots=True)
class Only:
    """Of what came in, what these devices sent or these gateways delivered; neither: all of it."""

    devices: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()


ALL = Only()


def plan_work(engine: Deps, sources: Sources, since: datetime, now: datetime, only: Only = ALL) -> list[Work]:
    """What to recompute for what came in since then, kind by kind, oldest first."""
    touched = engine.store.rows(
        "touched_minutes",
        since=since,
        until=now,
        spans=sources.names(Source.SPAN),
        events=sources.names(Source.LOG),
        **engine.corrections.clocks,
        **engine.corrections.roaming.homes,
        some=only != ALL,
        some_devices=list(only.devices),
        some_gateways=list(only.gateways),
        **sources.touching,
        **believable(now),
    )
    plans = abreast(partial(_plan_kind, engine, sources, kind, touched, now) for kind in Kind)
    return [work for plan in plans for work in plan]


def _plan_kind(engine: Deps, sources: Sources, kind: Kind, touched: Sequence[Row], now: datetime) -> list[Work]:
    mine = [r for r in touched if r["Kind"] == kind]
    found = pieces((r["GatewayId"], utc(r["Minute"])) for r in mine)
    if found:
        found = _with_dependants(engine, sources.only(kind), kind, found, now)
    room = room_of(sum(int(r["Items"]) for r in mine), len(mine))
    return [(kind, batch) for batch in joined(batches(found, room), room)]


def _with_dependants(engine: Deps, sources: Sources, kind: Kind, plan: list[Piece], now: datetime) -> list[Piece]:
    """Add the minutes whose figures depend on a touched row although they were not touched themselves."""
    found: list[tuple[str, datetime]] = []
    if kind in CUMULATIVE:
        near = batches(runs(plan))
        found = [pair for batch in near for pair in _next_minutes(engine, sources, (kind, batch), now)]
        # A next point is looked for behind a batch, so what lies in it is recomputed whole: it may hold one that was not touched,
        # and the batches that are recomputed in the end may be others.
        found += [(name, at) for batch in near for name in batch.gateways for at in _minutes(batch.lo, batch.hi)]
    elif kind is Kind.SPANS and any(fold.request for fold in sources.folds):
        found = [pair for batch in batches(plan) for pair in _attempt_minutes(engine, sources, batch)]
    return pieces([*((p.gateway, at) for p in plan for at in _minutes(p.lo, p.hi)), *found]) if found else plan


def _minutes(lo: datetime, hi: datetime) -> list[datetime]:
    return [lo + i * MINUTE for i in range(int((hi - lo) / MINUTE))]


def _attempt_minutes(engine: Deps, sources: Sources, batch: Batch) -> list[tuple[str, datetime]]:
    bounds = {"gateways": list(batch.gateways), "lo": batch.lo, "hi": batch.hi}
    around = engine.corrections.around(batch.gateways, batch.lo, batch.hi)
    given = asked(fold for fold in sources.folds if fold.request)
    rows = engine.store.rows("attempt_minutes", **bounds, **around, folds=given["folds"], names=given["names"])
    return [(row["GatewayId"], utc(minute)) for row in rows for minute in row["Minutes"]]


def _next_minutes(engine: Deps, sources: Sources, work: Work, now: datetime) -> list[tuple[str, datetime]]:
    """Minutes of the next points, looked for as far ahead as previous points are looked for back."""
    kind, batch = work
    found: set[tuple[str, datetime]] = set()
    for reach in LOOK_BACKS:
        more, open_ = _next_within(engine, sources, kind, batch, reach)
        found.update(more)
        # After an hour of silence nothing follows from a gauge's point.
        if kind is Kind.GAUGES or not open_ or batch.hi + reach > now:
            break
    if kind is Kind.SUMS:
        found.update(_next_within(engine, sources, "coverage", batch, LOOK_BACKS[0])[0])
    return sorted(found)


def _next_within(
    engine: Deps, sources: Sources, points: str, batch: Batch, reach: timedelta
) -> tuple[list[tuple[str, datetime]], bool]:
    """Gateways and minutes of next points, and whether some series has none yet."""
    rows = engine.store.rows(
        f"next_{points}",
        gateways=list(batch.gateways),
        lo=batch.lo,
        hi=batch.hi,
        reach=int(reach.total_seconds()),
        names=[] if points == "coverage" else sources.names(SOURCE_OF[Kind(points)]),
        **engine.corrections.around(batch.gateways, batch.lo, batch.hi + reach),
    )
    return [(row["GatewayId"], utc(m)) for row in rows for m in row["Minutes"]], any(row["Open"] for row in rows)


def recompute(engine: Deps, sources: Sources, work: Work, run: Run) -> None:
    kind, batch = work
    start = look_back(engine.store, sources, work, run.corrections) if kind in CUMULATIVE else batch.lo
    fold_batch(engine.store, sources, work, start, run)


def look_back(store: Store, sources: Sources, work: Work, corrections: Corrections) -> datetime:
    """From where to read, so that every series' point before the batch is seen if there is one."""
    kind, batch = work
    for back in LOOK_BACKS:
        start = batch.lo - back
        if kind is Kind.GAUGES or not _orphans(store, sources, work, start, corrections):
            break
    return start


def _orphans(store: Store, sources: Sources, work: Work, start: datetime, corrections: Corrections) -> int:
    """How many series may have begun before ``start`` and have no point between it and the batch."""
    kind, batch = work
    bounds = {"gateways": list(batch.gateways), "lo": batch.lo, "hi": batch.hi, "from": start}
    around = corrections.around(batch.gateways, start, batch.hi)
    names = sources.names(SOURCE_OF[kind])
    return int(store.rows(f"orphans_{kind}", **bounds, **around, names=names)[0]["Orphans"])
