"""Silences that people set and end; each keeps who did it and why."""

from __future__ import annotations

from datetime import datetime

from sloengine.alert.silences import Silence
from sloengine.jobs.deps import Deps
from sloengine.state import silences as silence_rows
from sloengine.state.database import transaction


def silence(engine: Deps, wanted: Silence, instead_of: str, now: datetime) -> None:
    """Set one; one that it takes the place of ends, and stays to be read."""
    with transaction(engine.state) as connection:
        if instead_of:
            silence_rows.expire(connection, instead_of, wanted.author, now)
        silence_rows.add(connection, wanted, now)


def unsilence(engine: Deps, silence_id: str, by: str, now: datetime) -> bool:
    """End one before its time; whether there was one to end."""
    with transaction(engine.state) as connection:
        return silence_rows.expire(connection, silence_id, by, now)


def silences(engine: Deps) -> list[tuple[Silence, str]]:
    """Newest first, with who ended each before its time."""
    with transaction(engine.state) as connection:
        return silence_rows.history(connection)
