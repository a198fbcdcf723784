"""Roll up: which buckets were touched, recompute them whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sloengine.jobs.deps import Deps
from sloengine.rollup.plan import MINUTE, Piece, days, floor_minute, pieces, runs
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.times import utc

log = logging.getLogger("sloengine.jobs")

EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
RETENTION = timedelta(days=40)
LOOK_BACKS = (timedelta(hours=1), timedelta(days=2), RETENTION)
"""How far back a cumulative series' previous point is looked for: nearly always it is in the near past."""
CLOCK_AHEAD = timedelta(days=1)
"""Events further in the future than this are no clock that is off but nonsense, and are left alone."""
CATCH_UP = timedelta(minutes=3)
"""How long gateways get to deliver what they held back while the store was away, before silence is judged."""
MAX_SCALE = 6
"""Finest exponential-histogram scale that is kept: quantiles within 0.54 %."""


def roll_up(engine: Deps, now: datetime, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Recompute every bucket that was touched by what came in since the watermark; number of pieces recomputed.

    The watermark trails by the longest insert, so ticks overlap; recomputing the same rows writes nothing new.
    """
    with transaction(engine.state) as connection:
        since = watermark(connection, "ingest") or EPOCH
        fresh_until = watermark(connection, "freshness")
    believable = {"oldest": floor_minute(now - RETENTION), "newest": now + CLOCK_AHEAD}
    touched = engine.store.rows("touched_minutes", since=since, until=now, **believable)
    plan = _with_next_points(engine, pieces((r["GatewayId"], utc(r["Minute"])) for r in touched), now)
    revision = int(now.timestamp() * 1000)
    for done, piece in enumerate(plan):
        _recompute(engine, piece, revision)
        progress(done + 1, len(plan))
    engine.store.run("hear_nodes", since=since, until=now)
    judged = _may_judge_silence(engine, now)
    _count_left_out(engine, since, now, believable)
    if judged:
        _roll_up_freshness(engine, since, fresh_until, now, revision)
        # Both move together: what comes in before silence is judged must be seen again when it is.
        with transaction(engine.state) as connection:
            set_watermark(connection, "ingest", now - timedelta(seconds=engine.settings.engine.insert_limit_s))
            set_watermark(connection, "freshness", floor_minute(now))
    return len(plan)


def _count_left_out(engine: Deps, since: datetime, now: datetime, believable: dict[str, datetime]) -> None:
    """Count once what no bucket can hold: ticks overlap, so only what came in after the last count."""
    counted = max(since, engine.counted_until or since)
    for row in engine.store.rows("left_out", since=counted, until=now, **believable):
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


def _with_next_points(engine: Deps, plan: Sequence[Piece], now: datetime) -> list[Piece]:
    """Add the minutes whose increase depends on a touched point although they were not touched themselves."""
    dependants = [(run.gateway, minute) for run in runs(plan) for minute in _next_minutes(engine, run, now)]
    minutes = ((p.gateway, p.lo + i * MINUTE) for p in plan for i in range(int((p.hi - p.lo) / MINUTE)))
    return pieces([*minutes, *dependants]) if dependants else list(plan)


def _next_minutes(engine: Deps, piece: Piece, now: datetime) -> list[datetime]:
    """Minutes of the next points, looked for as far ahead as previous points are looked for back."""
    found: set[datetime] = set()
    for reach in LOOK_BACKS:
        seconds = int(reach.total_seconds())
        row = engine.store.rows("next_minutes", gateway=piece.gateway, lo=piece.lo, hi=piece.hi, reach=seconds)[0]
        found.update(utc(minute) for minute in row["Minutes"])
        if not row["Open"] or piece.hi + reach > now:
            break
    return sorted(found)


def _recompute(engine: Deps, piece: Piece, revision: int) -> None:
    bounds = {"gateway": piece.gateway, "lo": piece.lo, "hi": piece.hi}
    for back in LOOK_BACKS:
        start = piece.lo - back
        if not engine.store.rows("orphans", **bounds, **{"from": start})[0]["Orphans"]:
            break
    engine.store.run("roll_up_requests", **bounds, **{"from": start}, revision=revision)
    engine.store.run("roll_up_latency", **bounds, **{"from": start}, revision=revision, max_scale=MAX_SCALE)


def _roll_up_freshness(
    engine: Deps, since: datetime, fresh_until: datetime | None, now: datetime, revision: int
) -> None:
    heard = engine.store.rows("oldest_heard", since=since, until=now)[0]
    begin = [n.since for n in engine.catalogue.nodes]
    if not begin:
        return
    lo = fresh_until - MINUTE if fresh_until else min(begin)
    if heard["Points"]:
        lo = min(lo, floor_minute(utc(heard["Oldest"])))
    lo = max(lo, min(begin), now - RETENTION)
    # Only whole minutes: a slice is judged when it has ended.
    for start, end in days(floor_minute(lo), floor_minute(now)):
        engine.store.run("roll_up_freshness", lo=start, hi=end, revision=revision)


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
