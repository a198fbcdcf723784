"""Silences in the database. None is ever deleted: who muted what, when and why stays to be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sloengine.alert.silences import Silence
from sloengine.model import Matcher
from sloengine.state.tables import silences
from sloengine.times import utc


def add(connection: Connection, silence: Silence, now: datetime) -> None:
    connection.execute(
        silences.insert().values(
            id=silence.id,
            matchers=json.dumps([[m.name, m.op, m.value] for m in silence.matchers]),
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            author=silence.author,
            reason=silence.reason,
            created_at=now,
        )
    )


def expire(connection: Connection, silence_id: str, by: str, now: datetime) -> bool:
    """End a silence that has not ended; whether there was one."""
    mine = (silences.c.id == silence_id) & (silences.c.ends_at > now)
    return bool(connection.execute(silences.update().where(mine).values(ends_at=now, expired_by=by)).rowcount)


def current(connection: Connection, now: datetime) -> list[Silence]:
    """Those that have not ended."""
    return [_silence(r) for r in connection.execute(select(silences).where(silences.c.ends_at > now)).mappings()]


def history(connection: Connection, limit: int = 1000) -> list[tuple[Silence, str]]:
    """Newest first, with who ended each before its time, if anybody."""
    asked = select(silences).order_by(silences.c.created_at.desc()).limit(limit)
    return [(_silence(r), r["expired_by"] or "") for r in connection.execute(asked).mappings()]


def _silence(row: Mapping[Any, Any]) -> Silence:
    matchers = tuple(Matcher(name, op, value) for name, op, value in json.loads(row["matchers"]))
    return Silence(row["id"], matchers, utc(row["starts_at"]), utc(row["ends_at"]), row["author"], row["reason"])
