"""Alert episodes in the database. A transition and its outbox rows are one transaction: neither exists without the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from sloengine.alert.episodes import Episode, EpisodeState
from sloengine.model import Severity
from sloengine.state.tables import episodes, outbox, transitions
from sloengine.times import utc


def latest(connection: Connection) -> dict[str, Episode]:
    """The newest episode of every identity."""
    newest = select(func.max(episodes.c.id)).group_by(episodes.c.identity)
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
    """Why an episode begins or ends now, on what numbers, and who is told what."""

    at: datetime
    reason: str
    evidence: Mapping[str, object]
    targets: Sequence[str]
    payload: str
    calls: Mapping[str, str] = field(default_factory=dict)
    """Hooks that are called beside, each with its own body."""


def fire(connection: Connection, episode: Episode, change: Change) -> None:
    """Begin an episode and queue its notifications."""
    values = {
        "identity": episode.identity,
        "number": episode.number,
        "severity": episode.severity.value,
        "labels": json.dumps(dict(episode.labels), sort_keys=True),
        "state": EpisodeState.FIRING.value,
        "started_at": episode.started_at,
        "last_bad_at": episode.last_bad_at,
    }
    episode_id = connection.execute(episodes.insert().values(values).returning(episodes.c.id)).scalar_one()
    _transition(connection, episode_id, episode.dedup_key, ("none", "firing"), change)


def resolve(connection: Connection, episode: Episode, change: Change) -> None:
    """End an episode and queue its resolve."""
    ended = {"state": EpisodeState.RESOLVED.value, "resolved_at": change.at}
    found = connection.execute(episodes.update().where(_is(episode)).values(ended).returning(episodes.c.id))
    _transition(connection, found.scalar_one(), episode.dedup_key, ("firing", "resolved"), change)


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
    for target, payload in {**dict.fromkeys(change.targets, change.payload), **change.calls}.items():
        connection.execute(
            outbox.insert().values(
                episode_id=episode_id,
                transition_id=transition_id,
                target=target,
                # One key per episode, event and target: a repeated request is recognised, wherever it was repeated.
                idempotency_key=f"{dedup_key}:{states[1]}:{target}",
                payload=payload,
                status="pending",
                attempts=0,
                not_before=change.at,
            )
        )


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
