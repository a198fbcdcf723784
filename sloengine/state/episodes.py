"""Alert episodes in the database. A transition and the calls that it asks for are one transaction: there is never one alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from sloengine.alert.episodes import Episode, EpisodeState
from sloengine.alert.notification import Told
from sloengine.model import Severity
from sloengine.state.groups import told_of
from sloengine.state.outbox import Message, queue
from sloengine.state.tables import episodes, transitions
from sloengine.times import utc


def latest(connection: Connection) -> dict[str, Episode]:
    """The newest episode of every identity that this engine decides on; what others raise is theirs."""
    newest = select(func.max(episodes.c.id)).where(episodes.c.ends_at.is_(None)).group_by(episodes.c.identity)
    rows = connection.execute(select(episodes).where(episodes.c.id.in_(newest))).mappings()
    return {row["identity"]: _episode(row) for row in rows}


def _episode(row: Mapping[Any, Any]) -> Episode:
    return Episode(
        identity=row["identity"],
        number=row["number"],
        severity=Severity(row["severity"]),
        labels=json.loads(row["labels"]),
        state=EpisodeState(row["state"]),
        started_at=utc(row["started_at"]),
        last_bad_at=utc(row["last_bad_at"]),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """Why an episode begins or ends now, on what numbers, and what people are told."""

    at: datetime
    reason: str
    evidence: Mapping[str, object]
    annotations: Mapping[str, str]
    """What people are told of it."""
    calls: Mapping[str, str] = field(default_factory=dict)
    """Hooks that are called beside, each with its own body."""


def fire(connection: Connection, episode: Episode, change: Change) -> int:
    """Begin an episode and queue its calls; its id."""
    values = {
        "identity": episode.identity,
        "number": episode.number,
        "severity": episode.severity.value,
        "labels": json.dumps(dict(episode.labels), sort_keys=True),
        "state": EpisodeState.FIRING.value,
        "started_at": episode.started_at,
        "last_bad_at": episode.last_bad_at,
        "annotations": json.dumps(dict(change.annotations)),
    }
    episode_id = connection.execute(episodes.insert().values(values).returning(episodes.c.id)).scalar_one()
    _transition(connection, episode_id, episode.dedup_key, ("none", "firing"), change)
    return int(episode_id)


def resolve(connection: Connection, episode: Episode, change: Change) -> int:
    """End an episode; its id."""
    ended = {
        "state": EpisodeState.RESOLVED.value,
        "resolved_at": change.at,
        "annotations": json.dumps(dict(change.annotations)),
    }
    found = connection.execute(episodes.update().where(_is(episode)).values(ended).returning(episodes.c.id))
    episode_id = int(found.scalar_one())
    _transition(connection, episode_id, episode.dedup_key, ("firing", "resolved"), change)
    return episode_id


def _is(episode: Episode) -> ColumnElement[bool]:
    return (episodes.c.identity == episode.identity) & (episodes.c.number == episode.number)


def still_bad(connection: Connection, episode: Episode, at: datetime) -> None:
    """Remember when the episode was last seen burning: its resolve waits from there."""
    connection.execute(episodes.update().where(_is(episode)).values(last_bad_at=at))


def _transition(
    connection: Connection, episode_id: int, dedup_key: str, states: tuple[str, str], change: Change
) -> None:
    values = {
        "episode_id": episode_id,
        "at": change.at,
        "from_state": states[0],
        "to_state": states[1],
        "reason": change.reason,
        "evidence": json.dumps(dict(change.evidence)),
        "exported": 0,
    }
    transition_id = connection.execute(transitions.insert().values(values).returning(transitions.c.id)).scalar_one()
    for target, payload in change.calls.items():
        # One key per episode, event and target: a repeated request is recognised, wherever it was repeated.
        key = f"{dedup_key}:{states[1]}:{target}"
        message = Message(f"episode:{episode_id}", target, key, payload, about=(episode_id, transition_id))
        queue(connection, message, change.at)


def unexported(connection: Connection, limit: int = 1000) -> list[dict[str, Any]]:
    """Transitions that ClickHouse has no copy of yet."""
    joined = transitions.join(episodes, transitions.c.episode_id == episodes.c.id)
    rows = connection.execute(
        select(transitions, episodes.c.identity, episodes.c.number, episodes.c.severity, episodes.c.labels)
        .select_from(joined)
        .where(transitions.c.exported == 0)
        .order_by(transitions.c.id)
        .limit(limit)
    ).mappings()
    return [dict(r) | {"at": utc(r["at"]), "labels": json.loads(r["labels"])} for r in rows]


def mark_exported(connection: Connection, ids: Iterable[int]) -> None:
    connection.execute(transitions.update().where(transitions.c.id.in_(list(ids))).values(exported=1))


def firing(connection: Connection) -> dict[int, Told]:
    """Everything that fires by its id, oldest first."""
    asked = select(episodes).where(episodes.c.state == EpisodeState.FIRING.value).order_by(episodes.c.id)
    return {row["id"]: told_of(row) for row in connection.execute(asked).mappings()}


def firing_labels(connection: Connection) -> list[dict[str, str]]:
    """The labels of everything that fires, oldest first."""
    asked = select(episodes.c.labels).where(episodes.c.state == EpisodeState.FIRING.value).order_by(episodes.c.id)
    return [json.loads(labels) for labels in connection.execute(asked).scalars()]


def recent(connection: Connection, limit: int = 50) -> list[dict[str, Any]]:
    """Newest episodes for people, firing ones first."""
    rows = connection.execute(
        select(episodes).order_by(episodes.c.state != "firing", episodes.c.started_at.desc()).limit(limit)
    ).mappings()
    return [
        {
            "dedup_key": f"{r['identity']}-{r['number']}",
            "severity": Severity(r["severity"]),
            "state": r["state"],
            "labels": json.loads(r["labels"]),
            "started_at": utc(r["started_at"]),
            "resolved_at": utc(r["resolved_at"]) if r["resolved_at"] else None,
        }
        for r in rows
    ]
