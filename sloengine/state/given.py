"""Alerts that others raise, as episodes: many at once, because a storm comes at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from sloengine.alert.episodes import EpisodeState
from sloengine.state.database import in_parts
from sloengine.state.tables import episodes, transitions
from sloengine.times import utc

_KNOWN = select(
    episodes.c.id, episodes.c.identity, episodes.c.number, episodes.c.state, episodes.c.started_at, episodes.c.ends_at
)


@dataclass(frozen=True, slots=True)
class Known:
    """The newest episode of an identity."""

    id: int
    number: int
    firing: bool
    started_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Begun:
    """An episode that begins."""

    identity: str
    number: int
    severity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_at: datetime
    ends_at: datetime
    """When it ends unless it is raised again."""


def known(connection: Connection, identities: Collection[str]) -> dict[str, Known]:
    found = {}
    for part in in_parts(sorted(identities)):
        newest = select(func.max(episodes.c.id)).where(episodes.c.identity.in_(part)).group_by(episodes.c.identity)
        for row in connection.execute(_KNOWN.where(episodes.c.id.in_(newest))).mappings():
            found[row["identity"]] = Known(
                row["id"],
                row["number"],
                row["state"] == EpisodeState.FIRING.value,
                utc(row["started_at"]),
                utc(row["ends_at"]) if row["ends_at"] else None,
            )
    return found


def begin(connection: Connection, begun: Sequence[Begun], reason: str, now: datetime) -> dict[int, Mapping[str, str]]:
    """Labels of the new episodes by their ids."""
    if not begun:
        return {}
    rows = [
        {
            "identity": one.identity,
            "number": one.number,
            "severity": one.severity,
            "labels": json.dumps(dict(one.labels), sort_keys=True),
            "annotations": json.dumps(dict(one.annotations)),
            "state": EpisodeState.FIRING.value,
            "started_at": one.started_at,
            "last_bad_at": now,
            "ends_at": one.ends_at,
        }
        for one in begun
    ]
    connection.execute(episodes.insert(), rows)
    newest = known(connection, [one.identity for one in begun])
    found = {newest[one.identity].id: one.labels for one in begun}
    _note(connection, list(found), ("none", EpisodeState.FIRING.value), reason, now)
    return found


def go_on(connection: Connection, raised: Mapping[int, tuple[Mapping[str, str], datetime]], now: datetime) -> None:
    """Episodes that are raised again: annotations and when each ends, by id."""
    rows = [
        {"its": one, "annotations": json.dumps(dict(said)), "ends_at": ends_at, "last_bad_at": now}
        for one, (said, ends_at) in raised.items()
    ]
    if rows:
        connection.execute(episodes.update().where(episodes.c.id == bindparam("its")), rows)


def end(connection: Connection, ended: Mapping[int, datetime], reason: str, now: datetime) -> None:
    """End episodes, each at its own time."""
    rows = [{"its": one, "state": EpisodeState.RESOLVED.value, "resolved_at": at} for one, at in ended.items()]
    if rows:
        connection.execute(episodes.update().where(episodes.c.id == bindparam("its")), rows)
        _note(connection, list(ended), (EpisodeState.FIRING.value, EpisodeState.RESOLVED.value), reason, now)


def overdue(connection: Connection, now: datetime) -> dict[int, datetime]:
    """Firing ones whose end has come, and when that was."""
    firing = (episodes.c.state == EpisodeState.FIRING.value) & (episodes.c.ends_at <= now)
    return {
        row.id: utc(row.ends_at) for row in connection.execute(select(episodes.c.id, episodes.c.ends_at).where(firing))
    }


def _note(connection: Connection, ids: Sequence[int], states: tuple[str, str], reason: str, now: datetime) -> None:
    rows = [
        {
            "episode_id": one,
            "at": now,
            "from_state": states[0],
            "to_state": states[1],
            "reason": reason,
            "evidence": "{}",
            "exported": 0,
        }
        for one in ids
    ]
    connection.execute(transitions.insert(), rows)
