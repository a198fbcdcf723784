"""Transition: begin and end alert episodes, with what a person needs to act."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from sloengine.alert.episodes import (
    Decision,
    Episode,
    EpisodeState,
    Reason,
    asked_by,
    decide,
    evidence_of,
    identity_of,
    labels_of,
)
from sloengine.errors import StoreError
from sloengine.evaluate.measure import shortest
from sloengine.jobs.deps import Deps
from sloengine.jobs.enrol import enrol, leads
from sloengine.model import (
    Severity,
    Status,
)
from sloengine.state import episodes as episode_rows
from sloengine.state import groups as group_rows
from sloengine.state.database import transaction
from sloengine.state.episodes import Change
from sloengine.times import format_duration

log = logging.getLogger("sloengine.jobs")


def transition(engine: Deps, statuses: Iterable[Status], now: datetime) -> None:
    """Begin and end alert episodes. One transaction for all of it: a crash leaves either no trace or all of it."""
    with transaction(engine.state) as connection:
        if not leads(engine, connection, now):
            return
        current = episode_rows.latest(connection)
        for status in statuses:
            page_firing = _transition_one(engine, connection, current, status, Severity.PAGE, page_firing=False)
            _transition_one(engine, connection, current, status, Severity.TICKET, page_firing=page_firing)
        _end_gone(engine, connection, current.values(), now)


def _end_gone(engine: Deps, connection: Connection, episodes: Iterable[Episode], now: datetime) -> None:
    """End alerts of what the catalogue no longer has, which nothing judges any more: they would fire, and be told, for ever.

    While something in the catalogue can't be read nobody knows whether it is in it.
    """
    if engine.catalogue.broken:
        return
    asked = {("slo", slo.name) for slo in engine.catalogue.slos} | {
        ("monitor", m.name) for m in engine.catalogue.monitors
    }
    for episode in episodes:
        about = asked_by(episode.labels)
        if episode.state is not EpisodeState.FIRING or about is None or about in asked:
            continue
        said = {"summary": f"{about[0]} {about[1]}: {Reason.GONE.value}", "dedup_key": episode.dedup_key}
        change = Change(now, Reason.GONE.value, {"at": now.isoformat()}, said)
        group_rows.touch(connection, [episode_rows.resolve(connection, episode, change)], now)
        log.warning("alert %s resolved: %s", episode.dedup_key, Reason.GONE.value)


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
    change = _change(engine, episode, status, decision, ended=False)
    episode_id = episode_rows.fire(connection, episode, change)
    enrol(engine, connection, {episode_id: episode.labels}, status.at)
    log.warning("alert %s fires: %s", episode.dedup_key, status.reason)


def _resolve(engine: Deps, connection: Connection, episode: Episode, status: Status, decision: Decision) -> None:
    change = _change(engine, episode, status, decision, ended=True)
    group_rows.touch(connection, [episode_rows.resolve(connection, episode, change)], status.at)
    log.warning("alert %s resolved: %s", episode.dedup_key, decision.reason.value)


def _change(engine: Deps, episode: Episode, status: Status, decision: Decision, *, ended: bool) -> Change:
    return Change(
        status.at, decision.reason.value, evidence_of(status), _annotations(engine, episode, status, ended=ended)
    )


def _annotations(engine: Deps, episode: Episode, status: Status, *, ended: bool) -> dict[str, str]:
    """What a person needs to act: measured values belong here and never into labels."""
    where = ", ".join(f"{k} {v}" for k, v in status.group) or "everywhere"
    versions = "; ".join(f"version {v or '(none)'}: {c.bad:,} of {c.valid:,} bad" for v, c in status.versions)
    nodes = "; ".join(f"{name}: {c.bad:,} of {c.valid:,} bad" for name, c in status.units)
    found = {
        "summary": f"{status.slo.display_name}: {status.reason} ({where})",
        "description": (
            f"{status.counts.bad} of {status.counts.valid} events were bad in {format_duration(status.slo.window)};"
            f" target {status.slo.target:.4%}, now {_percent(status.sli)}, budget left {_percent(status.budget_remaining)},"
            f" coverage {_percent(status.coverage)}."
        ),
        "versions": f"over {format_duration(shortest(status.slo))}: {versions}" if versions else "",
        "nodes": nodes,
        "evidence": json.dumps(evidence_of(status)),
        "dedup_key": episode.dedup_key,
        "owner": status.slo.owner or "",
        "runbook": status.slo.runbook or "",
        "console": f"{engine.settings.public_url}/#{status.slo.name}",
        "dashboard": f"{engine.settings.grafana_url}/d/sloengine-on-call?var-region={dict(status.group).get('region', '$__all')}"
        f"&var-model={dict(status.group).get('model', '$__all')}",
    }
    if status.slo.zero_tolerance and not ended:
        found["failures"] = _failures(engine, status)
    return {k: v for k, v in found.items() if v}


def _failures(engine: Deps, status: Status) -> str:
    """Who failed an integrity check and how (M10): one false positive blocks updates, so the page must let a person judge."""
    since = status.at - max((b.window.long for b in status.burns), default=status.slo.window)
    try:
        rows = engine.store.rows("integrity_failures", service=status.slo.service, since=since)
    except StoreError as error:
        return f"not known: {error}"
    return "\n".join(
        f"{r['device']}: {r['model']} {r['version']} {r['path']} has {r['hash'] or 'no hash'},"
        f" expected {r['expected'] or 'unknown'}, signer {r['signer'] or 'unknown'}"
        for r in rows
    )


def _percent(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.4%}"
