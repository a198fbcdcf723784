"""Marks: how far a job of ours has come with a rule, kept beside the engine's other watermarks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from sloengine.jobs.deps import Deps
from sloengine.state.database import set_watermark, transaction
from sloengine.state.tables import watermarks
from sloengine.times import utc


def mark_name(job: str, *rule: object) -> str:
    """Changes when anything about the rule does: what was judged by the old one is then judged again."""
    return f"{job}:{hashlib.sha256(repr(rule).encode()).hexdigest()[:12]}"


def read_marks(engine: Deps, job: str) -> dict[str, datetime]:
    """All marks of a job in one query, however many rules it has."""
    with transaction(engine.state) as connection:
        rows = connection.execute(
            select(watermarks.c.name, watermarks.c.at).where(watermarks.c.name.startswith(f"{job}:", autoescape=True))
        )
        return {name: utc(at) for name, at in rows}


def move_marks(engine: Deps, moved: Mapping[str, datetime] | Iterable[tuple[str, datetime]]) -> None:
    """Only what moved is written: most ticks move nothing."""
    pairs = dict(moved)
    if pairs:
        with transaction(engine.state) as connection:
            for name, at in pairs.items():
                set_watermark(connection, name, at)


def drop_marks(engine: Deps, names: Iterable[str]) -> None:
    """They say nothing any more."""
    listed = list(names)
    if listed:
        with transaction(engine.state) as connection:
            connection.execute(delete(watermarks).where(watermarks.c.name.in_(listed)))


PASS_EVERY = timedelta(minutes=10)
"""Measures that look far back are worked out at most this often, however often late data comes in."""


@dataclass(frozen=True, slots=True)
class Debt:
    """Time ``[since, end)`` that has to be worked out again."""

    mark: str
    since: datetime
    end: datetime


def owed(
    engine: Deps, mark: str, touched: Iterable[datetime], span: tuple[datetime, datetime], now: datetime
) -> Debt | None:
    """What is to be worked out now: from the first moment that is new or was touched, to the end of ``span``; None: nothing.

    What was touched is kept as a debt until then. ``span`` begins with the oldest moment that is worked out at all; a rule
    without a mark owes all of it.
    """
    job, (oldest, end) = mark.partition(":")[0], span
    marks = read_marks(engine, job)
    before = marks.get(mark)
    since = min([before or oldest, *(at for at in touched if oldest <= at < end)])
    if before is not None and since < before:
        move_marks(engine, {mark: since})
    if since >= end or (before is not None and now - marks.get(f"{job}:ran", oldest) < PASS_EVERY):
        return None
    return Debt(mark, max(since, oldest), end)


def paid(engine: Deps, debt: Debt, now: datetime) -> None:
    """The debt was worked out whole."""
    move_marks(engine, {debt.mark: debt.end, f"{debt.mark.partition(':')[0]}:ran": now})
