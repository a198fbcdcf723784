"""One function per job: read, call something pure, write. With ``app.py`` the only place that calls the clock."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import Connection, Engine

from sloengine.alert.episodes import Decision, Episode, EpisodeState, decide, evidence_of, identity_of, labels_of
from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings
from sloengine.durations import format_duration
from sloengine.errors import DeliveryError, SloengineError
from sloengine.evaluate.burn import windows_of
from sloengine.evaluate.histogram import summarise
from sloengine.evaluate.judge import Sums, judge
from sloengine.model import (
    DIMENSIONS,
    Catalogue,
    Counts,
    EpisodeNow,
    Group,
    Latency,
    NodeNow,
    Severity,
    Slo,
    Snapshot,
    State,
    Status,
)
from sloengine.notify import webhook
from sloengine.rollup.plan import MINUTE, Piece, days, floor_minute, pieces
from sloengine.state import episodes as episode_rows
from sloengine.state import outbox
from sloengine.state.database import set_watermark, take_lease, transaction, watermark
from sloengine.store.client import Store

log = logging.getLogger("sloengine.jobs")

EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
RETENTION = timedelta(days=40)
LOOK_BACKS = (timedelta(hours=1), timedelta(days=2), RETENTION)
"""How far back a cumulative series' previous point is looked for: the near past first, because it is nearly always there."""
MAX_SCALE = 6
"""Finest exponential-histogram scale that is kept: quantiles within 0.54 %."""
STATUS_EVERY = timedelta(minutes=1)


@dataclass
class Deps:
    """What every job needs. The clock is a parameter so that tests and scenarios own the time."""

    settings: Settings
    catalogue: Catalogue
    alerting: Alerting
    store: Store
    state: Engine
    http: httpx.Client
    clock: Callable[[], datetime]
    holder: str
    snapshot: Snapshot = Snapshot(at=None)
    statuses_written_at: datetime | None = None


# --- roll up ----------------------------------------------------------------------------------------------------------


def roll_up(engine: Deps, now: datetime, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Recompute every bucket that was touched by what came in since the watermark; number of pieces recomputed.

    The watermark trails by the longest insert, so ticks overlap; recomputing the same rows writes nothing new.
    """
    with transaction(engine.state) as connection:
        since = watermark(connection, "ingest") or EPOCH
        fresh_until = watermark(connection, "freshness")
    touched = engine.store.rows("touched_minutes", since=since, until=now)
    plan = _with_next_points(engine, pieces((r["GatewayId"], _utc(r["Minute"])) for r in touched))
    revision = int(now.timestamp() * 1000)
    for done, piece in enumerate(plan):
        _recompute(engine, piece, revision)
        progress(done + 1, len(plan))
    _roll_up_freshness(engine, since, fresh_until, now, revision)
    with transaction(engine.state) as connection:
        set_watermark(connection, "ingest", now - timedelta(seconds=engine.settings.engine.insert_limit_s))
        set_watermark(connection, "freshness", floor_minute(now))
    return len(plan)


def _with_next_points(engine: Deps, plan: Sequence[Piece]) -> list[Piece]:
    """Add the minutes whose increase depends on a touched point although they were not touched themselves."""
    dependants = [
        (piece.gateway, _utc(row["Minute"]))
        for piece in plan
        for row in engine.store.rows("next_minutes", gateway=piece.gateway, lo=piece.lo, hi=piece.hi)
    ]
    minutes = ((p.gateway, p.lo + i * MINUTE) for p in plan for i in range(int((p.hi - p.lo) / MINUTE)))
    return pieces([*minutes, *dependants]) if dependants else list(plan)


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
    engine.store.run("hear_nodes", since=since, until=now)
    heard = engine.store.rows("oldest_heard", since=since, until=now)[0]
    begin = [n.since for n in engine.catalogue.nodes]
    if not begin:
        return
    lo = fresh_until - MINUTE if fresh_until else min(begin)
    if heard["Points"]:
        lo = min(lo, floor_minute(_utc(heard["Oldest"])))
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
        [r["DeviceId"], r["GatewayId"], r["Region"], r["ServiceName"], _utc(r["Since"]), False, revision] for r in gone
    ]
    engine.store.insert("inventory", columns, rows)


# --- evaluate ---------------------------------------------------------------------------------------------------------


def evaluate(engine: Deps, now: datetime) -> list[Status]:
    """Judge every SLO on all its windows with one query per bucket shape; an SLO that fails is broken, the others go on."""
    spans = sorted({span for slo in engine.catalogue.slos for span in windows_of(slo)})
    if not spans:
        return []
    end = floor_minute(now)
    counted = engine.store.rows("window_counts", spans=[int(s.total_seconds()) for s in spans], end=end)
    sums = {name: [_sums(r, spans) for r in counted if r["Indicator"] == name] for name in ("M1", "M4")}
    covered = {tuple(s.dimensions.values()): s for s in sums["M1"]}
    statuses: list[Status] = []
    for slo in engine.catalogue.slos:
        try:
            mine = _latency_sums(engine, slo, spans, end, covered) if slo.indicator == "M2" else sums[slo.indicator]
            statuses += judge(slo, mine, engine.catalogue.nodes, now)
        except SloengineError as error:
            log.error("SLO %s could not be evaluated: %s", slo.name, error)
            statuses.append(_broken(slo, now, str(error)))
    return statuses


def _broken(slo: Slo, now: datetime, reason: str) -> Status:
    return Status(slo, (), now, State.BROKEN, None, Counts(), None, None, (), reason)


def _sums(row: Mapping[str, Any], spans: Sequence[timedelta], covered: Sums | None = None) -> Sums:
    unknown, seconds = row.get("Unknown"), row.get("Covered")
    by_window = {
        span: Counts(
            int(row["Good"][i]),
            int(row["Bad"][i]),
            int(unknown[i]) if unknown else 0,
            float(seconds[i]) if seconds else (covered.by_window[span].covered_s if covered else 0.0),
        )
        for i, span in enumerate(spans)
    }
    return Sums({name: row[name] for name in DIMENSIONS}, by_window, _utc(row["Last"]))


def _latency_sums(
    engine: Deps, slo: Slo, spans: Sequence[timedelta], end: datetime, covered: Mapping[tuple[str, ...], Sums]
) -> list[Sums]:
    rows = engine.store.rows(
        "window_latency", spans=[int(s.total_seconds()) for s in spans], end=end, threshold_s=slo.threshold_s
    )
    return [_sums(r, spans, covered.get(tuple(r[name] for name in DIMENSIONS))) for r in rows]


def latencies(engine: Deps, now: datetime) -> tuple[tuple[Group, Latency], ...]:
    """Quantiles of the last hour by service, model, version and region, from merged buckets."""
    parts: dict[Group, list[tuple[int, int, dict[int, int]]]] = {}
    end = floor_minute(now)
    for row in engine.store.rows("latency_buckets", start=end - timedelta(hours=1), end=end):
        group = tuple((name, row[name]) for name in ("service", "model", "version", "region"))
        parts.setdefault(group, []).append((row["Scale"], row["Zero"], row["Buckets"]))
    merged = ((group, summarise(items)) for group, items in sorted(parts.items()))
    return tuple((group, latency) for group, latency in merged if latency)


# --- transition -------------------------------------------------------------------------------------------------------


def transition(engine: Deps, statuses: Iterable[Status], now: datetime) -> None:
    """Begin and end alert episodes. One transaction for all of it: a crash leaves either no trace or all of it."""
    with transaction(engine.state) as connection:
        if not _leads(engine, connection, now):
            return
        current = episode_rows.latest(connection)
        for status in statuses:
            page_firing = _transition_one(engine, connection, current, status, Severity.PAGE, page_firing=False)
            _transition_one(engine, connection, current, status, Severity.TICKET, page_firing=page_firing)


def _leads(engine: Deps, connection: Connection, now: datetime) -> bool:
    ttl = timedelta(seconds=max(5.0, 1.5 * engine.settings.engine.tick_s))
    return take_lease(connection, "engine", engine.holder, now, ttl) is not None


def _transition_one(
    engine: Deps,
    connection: Connection,
    current: Mapping[str, Episode],
    status: Status,
    severity: Severity,
    *,
    page_firing: bool,
) -> bool:
    """Returns whether this severity fires after the step."""
    labels = labels_of(status, severity, engine.settings.cluster)
    identity = identity_of(labels)
    episode = current.get(identity)
    quiet = timedelta(seconds=engine.settings.engine.resolve_after_s)
    decision = decide(severity, episode, status, resolve_after=quiet, page_firing=page_firing)
    firing = episode is not None and episode.state is EpisodeState.FIRING
    if decision.state is EpisodeState.FIRING:
        number = episode.number + 1 if episode else 1
        begun = Episode(identity, number, severity, labels, EpisodeState.FIRING, status.at, status.at)
        _fire(engine, connection, begun, status, decision)
        return True
    if episode and decision.state is EpisodeState.RESOLVED:
        _resolve(engine, connection, episode, status, decision)
        return False
    if episode and firing and decision.burning:
        episode_rows.still_bad(connection, episode, status.at)
    return firing


def _fire(engine: Deps, connection: Connection, episode: Episode, status: Status, decision: Decision) -> None:
    episode_rows.fire(
        connection,
        episode,
        reason=decision.reason.value,
        evidence=evidence_of(status),
        targets=engine.alerting.targets(),
        payload=lambda e: _payload(engine, e, status, ended_at=None),
    )
    log.warning("alert %s fires: %s", episode.dedup_key, status.reason)


def _resolve(engine: Deps, connection: Connection, episode: Episode, status: Status, decision: Decision) -> None:
    wanted = [name for name, config in engine.alerting.targets().items() if config.send_resolved]
    episode_rows.resolve(
        connection,
        episode,
        at=status.at,
        reason=decision.reason.value,
        evidence=evidence_of(status),
        targets=wanted,
        payload=lambda e: _payload(engine, e, status, ended_at=status.at),
    )
    log.warning("alert %s resolved: %s", episode.dedup_key, decision.reason.value)


def _payload(engine: Deps, episode: Episode, status: Status, ended_at: datetime | None) -> str:
    return webhook.build_payload(
        receiver=engine.alerting.route.receiver,
        dedup_key=episode.dedup_key,
        status="resolved" if ended_at else "firing",
        labels=episode.labels,
        annotations=_annotations(engine, episode, status),
        started_at=episode.started_at,
        ended_at=ended_at,
        external_url=engine.settings.public_url,
    )


def _annotations(engine: Deps, episode: Episode, status: Status) -> dict[str, str]:
    """What a person needs to act: measured values belong here and never into labels."""
    where = ", ".join(f"{k} {v}" for k, v in status.group) or "everywhere"
    versions = ", ".join(f"{v or '(none)'}: {c.bad} of {c.valid} bad" for v, c in status.versions)
    found = {
        "summary": f"{status.slo.display_name}: {status.reason} ({where})",
        "description": (
            f"{status.counts.bad} of {status.counts.valid} events were bad in {format_duration(status.slo.window)};"
            f" target {status.slo.target:.4%}, now {_percent(status.sli)}, budget left {_percent(status.budget_remaining)},"
            f" coverage {_percent(status.coverage)}."
        ),
        "versions": versions,
        "evidence": json.dumps(evidence_of(status)),
        "dedup_key": episode.dedup_key,
        "owner": status.slo.owner or "",
        "runbook": status.slo.runbook or "",
        "console": f"{engine.settings.public_url}/#{status.slo.name}",
        "dashboard": f"/d/sloengine-on-call?var-region={dict(status.group).get('region', '$__all')}"
        f"&var-model={dict(status.group).get('model', '$__all')}",
    }
    return {k: v for k, v in found.items() if v}


def _percent(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.4%}"


# --- deliver ----------------------------------------------------------------------------------------------------------


def deliver(engine: Deps) -> int:
    """Send what is due; number delivered. A crash between sending and marking repeats the request with the same key."""
    timeout = engine.settings.engine.delivery_timeout_s
    with transaction(engine.state) as connection:
        due = outbox.claim(connection, engine.clock(), timedelta(seconds=1.5 * timeout), limit=1)
    sent = 0
    while due:
        for item in due:
            sent += _deliver_one(engine, item)
        with transaction(engine.state) as connection:
            due = outbox.claim(connection, engine.clock(), timedelta(seconds=1.5 * timeout), limit=1)
    return sent


def _deliver_one(engine: Deps, item: outbox.Due) -> int:
    config = engine.alerting.targets().get(item.target)
    try:
        if config is None:
            raise DeliveryError(f"target '{item.target}' is no longer configured", retryable=False)
        webhook.send(engine.http, str(config.url), item.payload, item.idempotency_key)
    except DeliveryError as error:
        _not_delivered(engine, item, error)
        return 0
    with transaction(engine.state) as connection:
        outbox.mark_sent(connection, item, engine.clock())
    return 1


def _not_delivered(engine: Deps, item: outbox.Due, error: DeliveryError) -> None:
    with transaction(engine.state) as connection:
        if not error.retryable:
            log.error("notification %s is refused for good: %s", item.idempotency_key, error)
            outbox.mark_dead(connection, item, str(error))
            return
        wait = error.retry_after_s or min(60.0, 2.0 ** min(item.attempts, 6))
        log.warning("notification %s will be tried again in %.0f s: %s", item.idempotency_key, wait, error)
        outbox.mark_retry(connection, item, engine.clock() + timedelta(seconds=wait), str(error))


# --- write and tick ---------------------------------------------------------------------------------------------------


def write_statuses(engine: Deps, statuses: Sequence[Status], now: datetime) -> None:
    """Keep what was said, once a minute: as known then, never rewritten."""
    last = engine.statuses_written_at
    if last and now - last < STATUS_EVERY:
        return
    columns = [
        "At",
        "Slo",
        "Indicator",
        "ServiceName",
        "Slice",
        "Target",
        "WindowDays",
        "State",
        "Reason",
        "Sli",
        "Good",
        "Bad",
        "Unknown",
    ]
    columns += ["Coverage", "BudgetRemaining", "Burn"]
    engine.store.insert("slo_status", columns, [_status_row(s) for s in statuses])
    engine.statuses_written_at = now


def _status_row(s: Status) -> list[object]:
    burn = {format_duration(b.window.long): b.long_burn for b in s.burns if b.long_burn is not None}
    burn |= {format_duration(b.window.short): b.short_burn for b in s.burns if b.short_burn is not None}
    return [
        s.at, s.slo.name, s.slo.indicator, s.slo.service, dict(s.group), s.slo.target, s.slo.window / timedelta(days=1),
        s.state.value, s.reason, s.sli, s.counts.good, s.counts.bad, s.counts.unknown, s.coverage, s.budget_remaining, burn,
    ]  # fmt: skip


def export_transitions(engine: Deps) -> None:
    """Copy new transitions to ClickHouse, then mark them: a crash in between repeats rows that replace themselves."""
    with transaction(engine.state) as connection:
        rows = episode_rows.unexported(connection)
    if not rows:
        return
    columns = [
        "At",
        "DedupKey",
        "Slo",
        "Severity",
        "FromState",
        "ToState",
        "Reason",
        "Labels",
        "Evidence",
        "TransitionId",
    ]
    engine.store.insert("alert_transitions", columns, [_transition_row(r) for r in rows])
    with transaction(engine.state) as connection:
        episode_rows.mark_exported(connection, [r["id"] for r in rows])


def _transition_row(r: Mapping[str, Any]) -> list[object]:
    key = f"{r['identity']}-{r['number']}"
    labels = r["labels"]
    return [
        r["at"], key, labels.get("slo", ""), r["severity"], r["from_state"], r["to_state"], r["reason"], labels, r["evidence"], r["id"],
    ]  # fmt: skip


def tick(engine: Deps, now: datetime) -> Snapshot:
    """Roll up, evaluate, transition, tell ClickHouse and the console. Trouble is shown, and the next tick tries again."""
    began = engine.clock()
    try:
        roll_up(engine, now)
        statuses = evaluate(engine, now)
        transition(engine, statuses, now)
        write_statuses(engine, statuses, now)
        export_transitions(engine)
        took = (engine.clock() - began).total_seconds()
        engine.snapshot = _snapshot(engine, statuses, now, took)
    except SloengineError as error:
        log.error("tick at %s failed: %s", now.isoformat(), error)
        engine.snapshot = replace(engine.snapshot, problems=(f"{type(error).__name__}: {error}",))
    return engine.snapshot


def _snapshot(engine: Deps, statuses: Sequence[Status], now: datetime, took: float) -> Snapshot:
    with transaction(engine.state) as connection:
        recent = episode_rows.recent(connection)
        queued = outbox.counts(connection)
    broken = tuple(f"{s.slo.name}: {s.reason}" for s in statuses if s.state is State.BROKEN)
    return Snapshot(
        at=now,
        statuses=tuple(statuses),
        latencies=latencies(engine, now),
        nodes=tuple(_node(r) for r in engine.store.sql_rows("SELECT * FROM nodes_now ORDER BY DeviceId LIMIT 100000")),
        episodes=tuple(EpisodeNow(**e) for e in recent),
        outbox=queued,
        problems=broken,
        tick_s=took,
    )


def _node(row: Mapping[str, Any]) -> NodeNow:
    received = row["LastReceived"]
    return NodeNow(
        device=row["DeviceId"],
        gateway=row["GatewayId"],
        region=row["Region"],
        service=row["ServiceName"],
        last_received=_utc(received) if received else None,
        age_s=row["AgeSeconds"],
        clock_lag_s=row["ClockLagSeconds"],
    )


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
