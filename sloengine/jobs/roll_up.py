"""Roll up: which buckets were touched, recompute them whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta

from sloengine.jobs.correct import correct, corrected
from sloengine.jobs.deps import Deps
from sloengine.jobs.derive_all import derive_all
from sloengine.jobs.fold import CUMULATIVE, Kind, Run, Sources, Work, asked, fold_batch, fold_days
from sloengine.model import Source
from sloengine.rollup.folds import fingerprint, folds_of
from sloengine.rollup.plan import (
    HOUR,
    MINUTE,
    Batch,
    Piece,
    batches,
    days,
    floor_minute,
    hours_of,
    pieces,
    room_of,
    runs,
)
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.times import utc

log = logging.getLogger("sloengine.jobs")

EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
RETENTION = timedelta(days=39)
"""A day less than the raw tables keep: a bucket is recomputed only while all its raw rows are there."""
LOOK_BACKS = (timedelta(hours=1), timedelta(days=2), RETENTION)
"""How far back a cumulative series' previous point is looked for: nearly always it is in the near past."""
CLOCK_AHEAD = timedelta(days=1)
"""Events further in the future than this are no clock that is off but nonsense, and are left alone."""
CATCH_UP = timedelta(minutes=3)
"""How long gateways get to deliver what they held back while the store was away, before silence is judged."""


def roll_up(engine: Deps, now: datetime, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Recompute every bucket that was touched by what came in since the watermark; number of batches recomputed.

    The watermark trails by the longest insert, so ticks overlap; recomputing the same rows writes nothing new. It belongs to
    what is folded: when an SLO asks for something new, everything that the raw tables still hold is folded again.
    """
    sources = Sources(folds_of(engine.catalogue.slos))
    mark = f"ingest:{fingerprint(sources.folds)}"
    with transaction(engine.state) as connection:
        since = watermark(connection, mark) or EPOCH
        fresh_until = watermark(connection, "freshness")
    revision = int(now.timestamp() * 1000)
    changes = correct(engine, now)
    parts = [(_plan(engine, sources, since, now, now), "backfill" if since == EPOCH else "arrival")]
    # What came in since the watermark is counted as it is corrected now anyway.
    parts += [(_plan(engine, sources, c.since, c.until, now), c.cause) for c in changes if c.since < since]
    total, done = sum(len(plan) for plan, _ in parts), 0
    for plan, cause in parts:
        for work in plan:
            _recompute(engine, sources, work, Run(revision, cause, engine.corrections))
            done += 1
            progress(done, total)
    hours = hours_of(batch for plan, _ in parts for _, batch in plan)
    engine.store.run("hear_nodes", since=since, until=now, quarantine=list(engine.corrections.quarantine))
    judged = _may_judge_silence(engine, now)
    _count_left_out(engine, sources, since, now)
    if judged:
        hours |= _roll_up_freshness(engine, since, fresh_until, now, revision)
    again = [(c.since, c.until) for c in changes]
    hours |= derive_all(engine, hours, now, Run(revision, "arrival", engine.corrections), again)
    _fold_hours(engine, hours, revision)
    corrected(engine, changes, now)
    if judged:
        # Both move together: what comes in before silence is judged must be seen again when it is.
        with transaction(engine.state) as connection:
            set_watermark(connection, mark, now - timedelta(seconds=engine.settings.engine.insert_limit_s))
            set_watermark(connection, "freshness", floor_minute(now))
    return total


def _believable(now: datetime) -> dict[str, datetime]:
    return {"oldest": floor_minute(now - RETENTION), "newest": now + CLOCK_AHEAD}


def _plan(engine: Deps, sources: Sources, since: datetime, until: datetime, now: datetime) -> list[Work]:
    """What to recompute for what came in then, kind by kind, oldest first."""
    touched = engine.store.rows(
        "touched_minutes",
        since=since,
        until=until,
        spans=sources.names(Source.SPAN),
        events=sources.names(Source.LOG),
        skew=list(engine.corrections.skew),
        **sources.touching,
        **_believable(now),
    )
    plan: list[Work] = []
    for kind in Kind:
        mine = [r for r in touched if r["Kind"] == kind]
        found = pieces((r["GatewayId"], utc(r["Minute"])) for r in mine)
        if found:
            found = _with_dependants(engine, sources.only(kind), kind, found, now)
        room = room_of(sum(int(r["Items"]) for r in mine), len(mine))
        plan += [(kind, batch) for batch in batches(found, room)]
    return plan


def _fold_hours(engine: Deps, hours: Iterable[datetime], revision: int) -> None:
    """Refold the hours in which a minute was recomputed, a day of them at a time, and these days."""
    by_day: dict[date, list[datetime]] = {}
    for hour in sorted(hours):
        by_day.setdefault(hour.date(), []).append(hour)
    for listed in by_day.values():
        engine.store.run("fold_hours", hours=listed, lo=listed[0], hi=listed[-1] + HOUR, revision=revision)
    fold_days(engine.store, hours, revision)


def _count_left_out(engine: Deps, sources: Sources, since: datetime, now: datetime) -> None:
    """Count once what no bucket can hold: ticks overlap, so only what came in after the last count."""
    counted = max(since, engine.counted_until or since)
    names = sources.touching
    for row in engine.store.rows("left_out", since=counted, until=now, **names, **_believable(now)):
        engine.left_out.count("metrics", {row["Reason"]: row["Points"]})
    engine.counted_until = now


def begin(engine: Deps, now: datetime) -> None:
    """Once, before the first tick."""
    publish_inventory(engine, now)
    with transaction(engine.state) as connection:
        last = watermark(connection, "freshness")
    if last and now - last > CATCH_UP:
        catch_up(engine, now)


def catch_up(engine: Deps, now: datetime) -> None:
    """We were deaf until now: nodes are not silent merely because nobody listened (F3)."""
    engine.deaf_until = now


def _may_judge_silence(engine: Deps, now: datetime) -> bool:
    return engine.deaf_until is None or now - engine.deaf_until >= CATCH_UP


def _with_dependants(engine: Deps, sources: Sources, kind: Kind, plan: list[Piece], now: datetime) -> list[Piece]:
    """Add the minutes whose figures depend on a touched row although they were not touched themselves."""
    found: list[tuple[str, datetime]] = []
    if kind in CUMULATIVE:
        near = batches(runs(plan))
        found = [pair for batch in near for pair in _next_minutes(engine, sources, batch, now)]
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


def _recompute(engine: Deps, sources: Sources, work: Work, run: Run) -> None:
    kind, batch = work
    start = _look_back(engine, sources.only(kind), batch) if kind in CUMULATIVE else batch.lo
    fold_batch(engine.store, sources, work, start, run)


def _look_back(engine: Deps, sources: Sources, batch: Batch) -> datetime:
    """From where to read, so that every series' point before the batch is seen if there is one."""
    bounds = {"gateways": list(batch.gateways), "lo": batch.lo, "hi": batch.hi, **engine.corrections.parameters}
    for back in LOOK_BACKS:
        start = batch.lo - back
        if not engine.store.rows("orphans", **bounds, **{"from": start}, **sources.touching)[0]["Orphans"]:
            break
    return start


def _roll_up_freshness(
    engine: Deps, since: datetime, fresh_until: datetime | None, now: datetime, revision: int
) -> set[datetime]:
    """Judge silence of every expected node and whole minute; the hours that were touched."""
    heard = engine.store.rows("oldest_heard", since=since, until=now)[0]
    begin = [n.since for n in engine.catalogue.nodes]
    if not begin:
        return set()
    lo = fresh_until - MINUTE if fresh_until else min(begin)
    if heard["Points"]:
        lo = min(lo, floor_minute(utc(heard["Oldest"])))
    lo = max(lo, min(begin), now - RETENTION)
    # Only whole minutes: a slice is judged when it has ended.
    judged = days(floor_minute(lo), floor_minute(now))
    by_device = any(
        "device" in fold.detail for fold in folds_of(engine.catalogue.slos) if fold.measure == "nodes.heard"
    )
    held = list(engine.corrections.quarantine)
    given = {"by_device": by_device, "quarantine": held, "cause": "arrival", "revision": revision}
    for start, end in judged:
        engine.store.run("fold_freshness", lo=start, hi=end, **given)
    return hours_of(Piece("", start, end) for start, end in judged)


def publish_inventory(engine: Deps, now: datetime) -> None:
    """Copy the catalogue's nodes to ClickHouse; nodes that left it are marked absent."""
    revision = int(now.timestamp() * 1000)
    listed = {(n.device, n.service): n for n in engine.catalogue.nodes}
    known = engine.store.sql_rows(
        "SELECT DeviceId, ServiceName, GatewayId, Region, Since FROM inventory FINAL WHERE Present"
    )
    gone = [r for r in known if (r["DeviceId"], r["ServiceName"]) not in listed]
    columns = ["DeviceId", "GatewayId", "Region", "ServiceName", "Since", "Present", "Revision"]
    rows: list[list[object]] = [
        [n.device, n.gateway, n.region, n.service, n.since, True, revision] for n in engine.catalogue.nodes
    ]
    rows += [
        [r["DeviceId"], r["GatewayId"], r["Region"], r["ServiceName"], utc(r["Since"]), False, revision] for r in gone
    ]
    engine.store.insert("inventory", columns, rows)
