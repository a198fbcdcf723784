"""The tick: roll up, evaluate, transition, and record what was said."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sloengine.errors import SloengineError
from sloengine.jobs import watched
from sloengine.jobs.deps import Deps
from sloengine.jobs.evaluate import evaluate, latencies
from sloengine.jobs.history import in_words
from sloengine.jobs.roll_up import catch_up, roll_up
from sloengine.jobs.sql_measures import broken_queries
from sloengine.jobs.transition import transition
from sloengine.model import (
    EpisodeNow,
    NodeNow,
    Snapshot,
    State,
    Status,
)
from sloengine.state import episodes as episode_rows
from sloengine.state import outbox
from sloengine.state.database import transaction
from sloengine.times import format_duration, utc

log = logging.getLogger("sloengine.jobs")

STATUS_EVERY = timedelta(minutes=1)


def write_statuses(engine: Deps, statuses: Sequence[Status], now: datetime) -> None:
    """Keep what was said, once a minute: as known then, never rewritten."""
    last = engine.statuses_written_at
    if last and now - last < STATUS_EVERY:
        return
    rows = [status_row(s) for s in statuses]
    if rows:
        engine.store.insert("slo_status", list(rows[0]), [list(row.values()) for row in rows])
    engine.statuses_written_at = now


def status_row(s: Status) -> dict[str, object]:
    """A row of ``slo_status`` by column."""
    burn = {format_duration(b.window.long): b.long_burn for b in s.burns if b.long_burn is not None}
    burn |= {format_duration(b.window.short): b.short_burn for b in s.burns if b.short_burn is not None}
    low, high = s.interval or (None, None)
    budget = s.budget
    return {
        "At": s.at,
        "Slo": s.slo.name,
        "Indicator": s.slo.indicator,
        "ServiceName": s.slo.service,
        "Slice": dict(s.group),
        "Target": s.slo.target,
        "WindowDays": s.slo.window / timedelta(days=1),
        "State": s.state.value,
        "Reason": s.reason,
        "Sli": s.sli,
        "Low": low,
        "High": high,
        "Good": float(s.counts.good),
        "Bad": float(s.counts.bad),
        "Unknown": float(s.counts.unknown),
        "Coverage": s.coverage,
        "BudgetRemaining": s.budget_remaining,
        "Burn": burn,
        "Effective": s.effective,
        "Sampled": s.counts.sampled,
        "Bridged": float(s.counts.bridged),
        "Shifted": float(s.counts.shifted),
        "ExcludedGood": float(s.excluded.good),
        "ExcludedBad": float(s.excluded.bad),
        "BudgetAllowed": budget.allowed if budget else None,
        "BudgetLeftSeconds": budget.left_s if budget else None,
        "ExhaustsInSeconds": budget.exhausts_in.total_seconds() if budget and budget.exhausts_in is not None else None,
        "WindowStart": s.window_start,
        "WindowEnd": s.window_end,
        "Folded": s.folded,
    }


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
        r["at"], key, labels.get("slo", ""), r["severity"], r["from_state"], r["to_state"], r["reason"], labels,
        r["evidence"], r["id"],
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
    except Exception as error:
        log.error("tick at %s failed: %s", now.isoformat(), error, exc_info=not isinstance(error, SloengineError))
        catch_up(engine, now)
        engine.snapshot = replace(engine.snapshot, problems=(f"{type(error).__name__}: {error}",))
    return engine.snapshot


def _snapshot(engine: Deps, statuses: Sequence[Status], now: datetime, took: float) -> Snapshot:
    with transaction(engine.state) as connection:
        recent = episode_rows.recent(connection)
        queued = outbox.counts(connection)
    broken = tuple(f"{s.slo.name}: {s.reason}" for s in statuses if s.state is State.BROKEN)
    unable = (*engine.routing_problems, *engine.derive_problems, *engine.drift_problems)
    return Snapshot(
        at=now,
        statuses=tuple(statuses),
        latencies=latencies(engine, now),
        nodes=tuple(_node(r) for r in engine.store.sql_rows("SELECT * FROM nodes_now ORDER BY DeviceId LIMIT 100000")),
        episodes=tuple(EpisodeNow(**e) for e in recent),
        outbox=queued,
        problems=broken + unable + broken_queries(engine),
        tick_s=took,
        notes=(*in_words(engine.history), *watched.in_words(engine)),
    )


def _node(row: Mapping[str, Any]) -> NodeNow:
    received = row["LastReceived"]
    return NodeNow(
        device=row["DeviceId"],
        gateway=row["GatewayId"],
        region=row["Region"],
        service=row["ServiceName"],
        last_received=utc(received) if received else None,
        age_s=row["AgeSeconds"],
        clock_lag_s=row["ClockLagSeconds"],
    )
