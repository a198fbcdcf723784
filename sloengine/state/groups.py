"""Groups of alerts in the database: who is in them, what was told of them, and when each is looked at next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from sloengine.alert.grouping import GroupState
from sloengine.alert.notification import Told
from sloengine.alert.routes import Group
from sloengine.state.database import in_parts
from sloengine.state.tables import episodes, groups, members
from sloengine.times import utc


@dataclass(frozen=True, slots=True)
class Kept:
    """A group as it is stored."""

    id: int
    receiver: str
    key: str
    labels: Mapping[str, str]
    state: GroupState | None
    told: int
    """Notifications so far."""


@dataclass(frozen=True, slots=True)
class Member:
    """An episode in a group."""

    group_id: int
    episode_id: int
    routed: bool
    told: Told


def key_hash(group_key: str) -> str:
    return hashlib.sha256(group_key.encode()).hexdigest()


def enrol(connection: Connection, wanted: Mapping[int, Sequence[Group]], now: datetime) -> None:
    """Put episodes, by id, into their groups, which are then looked at: a new one waits from now on."""
    ids = _ids(connection, {(g.receiver, g.key): g for some in wanted.values() for g in some}, now)
    rows = [
        {"group_id": ids[(group.receiver, group.key)], "episode_id": episode, "routed": True}
        for episode, some in wanted.items()
        for group in some
    ]
    if rows:
        connection.execute(members.insert(), rows)


def _ids(connection: Connection, wanted: Mapping[tuple[str, str], Group], now: datetime) -> dict[tuple[str, str], int]:
    found = _stored(connection, wanted)
    for part in in_parts(sorted(found.values())):
        due = groups.c.look_at.is_(None) | (groups.c.look_at > now)
        connection.execute(groups.update().where(groups.c.id.in_(part) & due).values(look_at=now))
    fresh = [
        {
            "receiver": group.receiver,
            "group_key": group.key,
            "key_hash": key_hash(group.key),
            "labels": json.dumps(dict(group.labels), sort_keys=True),
            "state": "null",
            "urgent": group.route.safety,
            "told": 0,
            "look_at": now,
        }
        for key, group in wanted.items()
        if key not in found
    ]
    if fresh:
        connection.execute(groups.insert(), fresh)
        found = _stored(connection, wanted)
    return found


def _stored(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    by_hash = {key_hash(key): key for _, key in wanted}
    found = {}
    for part in in_parts(sorted(by_hash)):
        for row in connection.execute(select(groups).where(groups.c.key_hash.in_(part))).mappings():
            found[(row["receiver"], row["group_key"])] = row["id"]
    return {key: found[key] for key in wanted if key in found}


def touch(connection: Connection, episode_ids: Collection[int], now: datetime) -> None:
    """Have the groups of episodes that have ended looked at, in case their timers have been forgotten."""
    for part in in_parts(sorted(episode_ids)):
        mine = select(members.c.group_id).where(members.c.episode_id.in_(part))
        idle = groups.c.id.in_(mine) & groups.c.look_at.is_(None)
        connection.execute(groups.update().where(idle).values(look_at=now))


def any_due(connection: Connection, now: datetime) -> bool:
    return connection.execute(select(groups.c.id).where(groups.c.look_at <= now).limit(1)).first() is not None


def due(connection: Connection, now: datetime, limit: int) -> list[Kept]:
    """Groups whose time has come: those of safety routes, then the longest overdue."""
    asked = select(groups).where(groups.c.look_at <= now)
    asked = asked.order_by(groups.c.urgent.desc(), groups.c.look_at, groups.c.id).limit(limit)
    return [_kept(row) for row in connection.execute(asked).mappings()]


def every(connection: Connection) -> list[Kept]:
    """Groups that hold anybody."""
    held = select(members.c.group_id)
    return [_kept(r) for r in connection.execute(select(groups).where(groups.c.id.in_(held))).mappings()]


def next_look(connection: Connection) -> datetime | None:
    found = connection.execute(select(func.min(groups.c.look_at))).scalar()
    return utc(found) if found else None


def members_of(connection: Connection, group_ids: Collection[int]) -> dict[int, list[Member]]:
    """By group."""
    found: dict[int, list[Member]] = {one: [] for one in group_ids}
    joined = members.join(episodes, members.c.episode_id == episodes.c.id)
    for part in in_parts(sorted(group_ids)):
        asked = (
            select(members.c.group_id, members.c.episode_id, members.c.routed, episodes)
            .select_from(joined)
            .where(members.c.group_id.in_(part))
            .order_by(episodes.c.id)
        )
        for row in connection.execute(asked).mappings():
            found[row["group_id"]].append(Member(row["group_id"], row["episode_id"], bool(row["routed"]), told_of(row)))
    return found


def told_of(row: Mapping[Any, Any]) -> Told:
    """An episode's row as notifications tell it."""
    return Told(
        dedup_key=f"{row['identity']}-{row['number']}",
        labels=json.loads(row["labels"]),
        annotations=json.loads(row["annotations"]),
        started_at=utc(row["started_at"]),
        ended_at=utc(row["resolved_at"]) if row["resolved_at"] else None,
    )


def save(connection: Connection, group_id: int, state: GroupState | None, look_at: datetime | None, told: int) -> None:
    values = {"state": json.dumps(_written(state)), "look_at": look_at, "told": told}
    connection.execute(groups.update().where(groups.c.id == group_id).values(values))


def leave(connection: Connection, group_id: int, episode_ids: Collection[int]) -> None:
    """Episodes that a group is done with."""
    for part in in_parts(sorted(episode_ids)):
        mine = (members.c.group_id == group_id) & members.c.episode_id.in_(part)
        connection.execute(members.delete().where(mine))


def reroute(connection: Connection, group_id: int, episode_ids: Collection[int], *, routed: bool) -> None:
    for part in in_parts(sorted(episode_ids)):
        mine = (members.c.group_id == group_id) & members.c.episode_id.in_(part)
        connection.execute(members.update().where(mine).values(routed=routed))


def _kept(row: Mapping[Any, Any]) -> Kept:
    return Kept(
        row["id"],
        row["receiver"],
        row["group_key"],
        json.loads(row["labels"]),
        _read(json.loads(row["state"])),
        row["told"],
    )


_SETS = ("firing", "resolved", "open", "settled")
_TIMES = ("next_at", "told_at")


def _written(state: GroupState | None) -> dict[str, object] | None:
    if state is None:
        return None
    sets = {name: sorted(getattr(state, name)) for name in _SETS}
    moments = {name: at.isoformat() for name in _TIMES if (at := getattr(state, name))}
    return {"incident": state.incident, "flushed": state.flushed, **sets, **moments}


def _read(stored: Mapping[str, Any] | None) -> GroupState | None:
    if stored is None:
        return None
    sets: dict[str, Any] = {name: frozenset(stored[name]) for name in _SETS}
    moments: dict[str, Any] = {name: datetime.fromisoformat(stored[name]) for name in _TIMES if name in stored}
    return GroupState(incident=stored["incident"], flushed=stored["flushed"], **sets, **moments)
