"""Roll up: which buckets were touched, recompute them whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from threading import Lock

from sloengine.jobs.abreast import abreast
from sloengine.jobs.correct import correct, corrected
from sloengine.jobs.deps import Deps
from sloengine.jobs.derive_all import derive_all
from sloengine.jobs.excluded import note_marked, unmarked_since
from sloengine.jobs.fold import SOURCE_OF, Run, Sources, Work, fold_hours, marks_asked
from sloengine.jobs.history import EPOCH, ingest_marks, ingested, note_paid, work_off
from sloengine.jobs.marks import drop_marks, move_marks, read_marks
from sloengine.jobs.recount import RETENTION, believable, plan_work, recompute
from sloengine.jobs.rollouts import publish_targets
from sloengine.jobs.watched import fold_watched
from sloengine.model import Source
from sloengine.rollup.folds import FRESHNESS, fingerprint
from sloengine.rollup.plan import (
    MINUTE,
    Piece,
    floor_minute,
    hours_of,
    stretches,
)
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.times import unix_ms, utc

log = logging.getLogger("sloengine.jobs")

FRESH = "fresh"
"""Marks the fold that silence was judged under."""
HOURS = "hours"
"""When the last roll-up folded the hours over all that it wrote."""
CATCH_UP = timedelta(minutes=3)
"""How long gateways get to deliver what they held back while the store was away, before silence is judged."""


def roll_up(engine: Deps, now: datetime, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Recompute every bucket that was touched by what came in since the watermark; number of batches recomputed.

    The watermark trails by the longest insert, so ticks overlap; recomputing the same rows writes nothing new. It belongs to
    what is folded: when an SLO asks for something new, what the raw tables still hold is folded again (``history``).
    """
    sources = Sources(engine.folds())
    since = ingested(engine, sources)
    with transaction(engine.state) as connection:
        fresh_until = watermark(connection, "freshness")
    fresh = f"{FRESH}:{fingerprint([fold for fold in engine.folds() if fold.measure == FRESHNESS])}"
    if fresh_until and fresh not in read_marks(engine, FRESH):
        # Nodes are told apart by something new: all that was judged is judged again.
        fresh_until = EPOCH
    revision = unix_ms(now)
    changes = correct(engine, now)
    left_behind, engine.behind = _left_behind(engine), True
    parts = [(plan_work(engine, sources, since, now), "backfill" if since == EPOCH else "arrival")]
    # What came in since the watermark is counted as it is corrected now anyway.
    parts += [(plan_work(engine, sources, c.since, now, c.only), c.cause) for c in changes if c.since < since]
    unmarked = unmarked_since(engine, now)
    if unmarked and since != EPOCH:
        parts.append((plan_work(engine, sources, unmarked, now), "exclusion"))
    total = _recompute_all(engine, sources, parts, revision, progress)
    hours = left_behind | hours_of(batch for plan, _ in parts for _, batch in plan)
    hours |= work_off(engine, sources, now, Run(revision, "backfill", engine.corrections))
    engine.store.run("hear_nodes", since=since, until=now, quarantine=list(engine.corrections.quarantine))
    judged = _may_judge_silence(engine, now)
    _count_left_out(engine, sources, since, now)
    if judged:
        begin = min(fresh_until, unmarked) if fresh_until and unmarked else fresh_until
        hours |= _roll_up_freshness(engine, since, begin, now, revision)
    again = [(c.since, now) for c in changes]
    hours |= derive_all(engine, hours, now, Run(revision, "arrival", engine.corrections), again)
    fold_hours(engine.store, hours, revision)
    fold_watched(engine, hours, now, revision)
    _note_folded(engine, now)
    note_paid(engine)
    corrected(engine, changes, now)
    if judged:
        # Both move together: what comes in before silence is judged must be seen again when it is.
        with transaction(engine.state) as connection:
            for mark in ingest_marks(sources):
                set_watermark(connection, mark, now - timedelta(seconds=engine.settings.engine.insert_limit_s))
            set_watermark(connection, "freshness", floor_minute(now))
        drop_marks(engine, [mark for mark in read_marks(engine, FRESH) if mark != fresh])
        move_marks(engine, {fresh: now})
        note_marked(engine, now)
    return total


def _recompute_all(
    engine: Deps,
    sources: Sources,
    parts: Sequence[tuple[list[Work], str]],
    revision: int,
    progress: Callable[[int, int], None],
) -> int:
    """One part after the other; in it what is folded from different signals abreast, each in its own order. How many batches."""
    total, done, turn = sum(len(plan) for plan, _ in parts), count(1), Lock()

    def chain(works: Sequence[Work], run: Run) -> None:
        for work in works:
            recompute(engine, sources, work, run)
            with turn:
                progress(next(done), total)

    for plan, cause in parts:
        run = Run(revision, cause, engine.corrections)
        # Both kinds of histograms are one signal: bands are made of the two.
        signals = {
            SOURCE_OF[kind]: [work for work in plan if SOURCE_OF[work[0]] is SOURCE_OF[kind]] for kind, _ in plan
        }
        abreast(partial(chain, works, run) for works in signals.values())
    return total


def _left_behind(engine: Deps) -> set[datetime]:
    """Hours over minutes that a roll-up wrote which did not end: jobs move their marks before hours are folded."""
    with transaction(engine.state) as connection:
        folded = watermark(connection, HOURS)
    if not engine.behind or folded is None:
        return set()
    return {utc(row["Hour"]) for row in engine.store.rows("unfolded_hours", revision=unix_ms(folded))}


def _note_folded(engine: Deps, now: datetime) -> None:
    with transaction(engine.state) as connection:
        set_watermark(connection, HOURS, now)
    engine.behind = False


def _count_left_out(engine: Deps, sources: Sources, since: datetime, now: datetime) -> None:
    """Count once what no bucket can hold: ticks overlap, so only what came in after the last count."""
    counted = max(since, engine.counted_until or since)
    names = {**sources.touching, "spans": sources.names(Source.SPAN), "events": sources.names(Source.LOG)}
    for row in engine.store.rows("left_out", since=counted, until=now, **names, **believable(now)):
        engine.left_out.count(row["Signal"], {row["Reason"]: row["Points"]})
    engine.counted_until = now


def begin(engine: Deps, now: datetime) -> None:
    """Once, before the first tick."""
    publish_inventory(engine, now)
    publish_targets(engine, now)
    with transaction(engine.state) as connection:
        last = watermark(connection, "freshness")
    if last and now - last > CATCH_UP:
        catch_up(engine, now)


def catch_up(engine: Deps, now: datetime) -> None:
    """We were deaf until now: nodes are not silent merely because nobody listened (F3)."""
    engine.deaf_until = now


def _may_judge_silence(engine: Deps, now: datetime) -> bool:
    return engine.deaf_until is None or now - engine.deaf_until >= CATCH_UP


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
    judged = stretches(floor_minute(lo), floor_minute(now), len(begin))
    folds = [f for f in engine.folds() if f.measure == FRESHNESS]
    given = {
        "by_device": any("device" in fold.detail for fold in folds),
        "marks": marks_asked(mark for fold in folds for mark in fold.marks),
        "quarantine": list(engine.corrections.quarantine),
        "cause": "arrival",
        "revision": revision,
    }
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
