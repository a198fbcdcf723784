"""Recount: from what came in to the minutes that it touches, and these recomputed whole."""

from __future__ import annotations

from datetime import datetime, timedelta

from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import CUMULATIVE, Kind, Run, Sources, Work, asked, fold_batch
from sloengine.model import Source
from sloengine.rollup.plan import MINUTE, Batch, Piece, batches, floor_minute, joined, pieces, room_of, runs
from sloengine.times import utc

RETENTION = timedelta(days=39)
"""A day less than the raw tables keep: a bucket is recomputed only while all its raw rows are there."""
LOOK_BACKS = (timedelta(hours=1), timedelta(days=2), RETENTION)
"""How far back a cumulative series' previous point is looked for: nearly always it is in the near past."""
CLOCK_AHEAD = timedelta(days=1)
"""Events further in the future than this are no clock that is off but nonsense, and are left alone."""


def believable(now: datetime) -> dict[str, datetime]:
    return {"oldest": floor_minute(now - RETENTION), "newest": now + CLOCK_AHEAD}


def plan_work(engine: Deps, sources: Sources, since: datetime, until: datetime, now: datetime) -> list[Work]:
    """What to recompute for what came in then, kind by kind, oldest first."""
    touched = engine.store.rows(
        "touched_minutes",
        since=since,
        until=until,
        spans=sources.names(Source.SPAN),
        events=sources.names(Source.LOG),
        skew=list(engine.corrections.skew),
        **sources.touching,
        **believable(now),
    )
    plan: list[Work] = []
    for kind in Kind:
        mine = [r for r in touched if r["Kind"] == kind]
        found = pieces((r["GatewayId"], utc(r["Minute"])) for r in mine)
        if found:
            found = _with_dependants(engine, sources.only(kind), kind, found, now)
        room = room_of(sum(int(r["Items"]) for r in mine), len(mine))
        plan += [(kind, batch) for batch in joined(batches(found, room), room)]
    return plan


def _with_dependants(engine: Deps, sources: Sources, kind: Kind, plan: list[Piece], now: datetime) -> list[Piece]:
    """Add the minutes whose figures depend on a touched row although they were not touched themselves."""
    found: list[tuple[str, datetime]] = []
    if kind in CUMULATIVE:
        near = batches(runs(plan))
        found = [pair for batch in near for pair in _next_minutes(engine, sources, batch, now)]
        if engine.corrections.skew:
            found += [pair for batch in near for pair in _moved_minutes(engine, sources, batch)]
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
    given = asked(fold for fold in sources.folds if fold.request)
    skew = list(engine.corrections.skew)
    rows = engine.store.rows("attempt_minutes", **bounds, folds=given["folds"], names=given["names"], skew=skew)
    return [(row["GatewayId"], utc(minute)) for row in rows for minute in row["Minutes"]]


def _next_minutes(engine: Deps, sources: Sources, batch: Batch, now: datetime) -> list[tuple[str, datetime]]:
    """Minutes of the next points, looked for as far ahead as previous points are looked for back."""
    found: set[tuple[str, datetime]] = set()
    bounds = {"gateways": list(batch.gateways), "lo": batch.lo, "hi": batch.hi, **engine.corrections.parameters}
    for reach in LOOK_BACKS:
        seconds = int(reach.total_seconds())
        rows = engine.store.rows("next_minutes", **bounds, reach=seconds, **sources.touching)
        found.update((row["GatewayId"], utc(minute)) for row in rows for minute in row["Minutes"])
        if not any(row["Open"] for row in rows) or batch.hi + reach > now:
            break
    return sorted(found)


def _moved_minutes(engine: Deps, sources: Sources, batch: Batch) -> list[tuple[str, datetime]]:
    bounds = {"gateways": list(batch.gateways), "lo": batch.lo, "hi": batch.hi}
    rows = engine.store.rows("moved_minutes", **bounds, skew=list(engine.corrections.skew), **sources.touching)
    return [(row["GatewayId"], utc(minute)) for row in rows for minute in row["Minutes"]]


def recompute(engine: Deps, sources: Sources, work: Work, run: Run) -> None:
    kind, batch = work
    start = look_back(engine, sources.only(kind), batch) if kind in CUMULATIVE else batch.lo
    fold_batch(engine.store, sources, work, start, run)


def look_back(engine: Deps, sources: Sources, batch: Batch) -> datetime:
    """From where to read, so that every series' point before the batch is seen if there is one."""
    bounds = {"gateways": list(batch.gateways), "lo": batch.lo, "hi": batch.hi, **engine.corrections.parameters}
    for back in LOOK_BACKS:
        start = batch.lo - back
        if not engine.store.rows("orphans", **bounds, **{"from": start}, **sources.touching)[0]["Orphans"]:
            break
    return start
