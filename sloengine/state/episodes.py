"""Alert episodes in the database. A transition and its outbox rows are one transaction: neither exists without the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from sloengine.alert.episodes import Episode, EpisodeState
from sloengine.model import Severity
from sloengine.state.database import utc
from sloengine.state.tables import episodes, outbox, transitions

Payload = Callable[[Episode], str]


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


def fire(
    connection: Connection,
    episode: Episode,
    *,
    reason: str,
    evidence: Mapping[str, object],
    targets: Iterable[str],
    payload: Payload,
) -> None:
    """Begin an episode and queue its notifications."""
    key = connection.execute(
        episodes.insert().values(
            identity=episode.identity,
            number=episode.number,
            severity=episode.severity.value,
            labels=json.dumps(dict(episode.labels), sort_keys=True),
            state=EpisodeState.FIRING.value,
            started_at=episode.started_at,
            last_bad_at=episode.last_bad_at,
        )
    ).inserted_primary_key
    if key is None:
        raise RuntimeError("the database gave the new episode no id")
    _transition(connection, key[0], episode, episode.started_at, ("none", "firing"), reason, evidence, targets, payload)


def resolve(
    connection: Connection,
    episode: Episode,
    *,
    at: datetime,
    reason: str,
    evidence: Mapping[str, object],
    targets: Iterable[str],
    payload: Payload,
) -> None:
    """End an episode and queue its resolve."""
    mine = (episodes.c.identity == episode.identity) & (episodes.c.number == episode.number)
    episode_id = connection.execute(select(episodes.c.id).where(mine)).scalar_one()
    connection.execute(episodes.update().where(mine).values(state=EpisodeState.RESOLVED.value, resolved_at=at))
    _transition(connection, episode_id, episode, at, ("firing", "resolved"), reason, evidence, targets, payload)


def still_bad(connection: Connection, episode: Episode, at: datetime) -> None:
    """Remember when the episode was last seen burning: its resolve waits from there."""
    mine = (episodes.c.identity == episode.identity) & (episodes.c.number == episode.number)
    connection.execute(episodes.update().where(mine).values(last_bad_at=at))


def _transition(
    connection: Connection,
    episode_id: int,
    episode: Episode,
    at: datetime,
    states: tuple[str, str],
    reason: str,
    evidence: Mapping[str, object],
    targets: Iterable[str],
    payload: Payload,
) -> None:
    key = connection.execute(
        transitions.insert().values(
            episode_id=episode_id,
            at=at,
            from_state=states[0],
            to_state=states[1],
            reason=reason,
            evidence=json.dumps(dict(evidence)),
            exported=0,
        )
    ).inserted_primary_key
    for target in targets:
        connection.execute(
            outbox.insert().values(
                episode_id=episode_id,
                transition_id=key[0] if key else None,
                target=target,
                # One key per episode, event and target: a repeated request is recognised, wherever it was repeated.
                idempotency_key=f"{episode.dedup_key}:{states[1]}:{target}",
                payload=payload(episode),
                status="pending",
                attempts=0,
                not_before=at,
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
