"""The outbox: what must still be sent, claimed by one sender at a time, in order per subject and target."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, select

from sloengine.state.tables import outbox
from sloengine.times import utc


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent."""

    subject: str
    """What it is about: ``group:<id>`` or ``episode:<id>``. Of the same subject a target gets one after the other."""
    target: str
    idempotency_key: str
    payload: str
    urgent: bool = False
    about: tuple[int, int] | None = None
    """Ids of the episode and the transition that ask for a call."""


def queue(connection: Connection, message: Message, now: datetime) -> None:
    episode_id, transition_id = message.about or (None, None)
    connection.execute(
        outbox.insert().values(
            episode_id=episode_id,
            transition_id=transition_id,
            subject=message.subject,
            urgent=message.urgent,
            target=message.target,
            idempotency_key=message.idempotency_key,
            payload=message.payload,
            status="pending",
            attempts=0,
            queued_at=now,
            not_before=now,
        )
    )


@dataclass(frozen=True, slots=True)
class Due:
    """One notification to send now."""

    id: int
    target: str
    idempotency_key: str
    payload: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes notifications, and for how long unless it renews them."""

    holder: str
    ttl: timedelta


def claim(connection: Connection, now: datetime, by: Claim, limit: int = 20, target: str | None = None) -> list[Due]:
    """Take due notifications, of one target or any. A claim that runs out, its sender killed, is claimable again.

    Only the oldest unsent one of a subject and target is ever due: a resolve can't overtake its trigger. Urgent ones come first.
    """
    asked = select(outbox).where(_due(now, target)).order_by(outbox.c.urgent.desc(), outbox.c.id).limit(limit)
    # Of two engines that ask at once the second gets what the first leaves.
    rows = connection.execute(asked.with_for_update(skip_locked=True)).mappings()
    due = [Due(r["id"], r["target"], r["idempotency_key"], r["payload"], r["attempts"]) for r in rows]
    connection.execute(
        outbox.update()
        .where(outbox.c.id.in_([d.id for d in due]))
        .values(status="claimed", claimed_until=now + by.ttl, claimed_by=by.holder, attempts=outbox.c.attempts + 1)
    )
    return due


def renew(connection: Connection, targets: Collection[str], by: Claim, now: datetime) -> None:
    """Hold claims for longer while their sender is alive; one that is killed leaves them soon, however long a sending takes."""
    mine = (outbox.c.status == "claimed") & (outbox.c.claimed_by == by.holder) & outbox.c.target.in_(targets)
    connection.execute(outbox.update().where(mine).values(claimed_until=now + by.ttl))


def due_targets(connection: Connection, now: datetime) -> list[str]:
    """Targets that something is due to, those of urgent ones first."""
    asked = select(outbox.c.target).where(_due(now)).group_by(outbox.c.target)
    return list(
        connection.execute(
            asked.order_by(func.max(cast(outbox.c.urgent, Integer)).desc(), func.min(outbox.c.id))
        ).scalars()
    )


def last_queued(connection: Connection, subject: str, target: str) -> datetime | None:
    """When something about a subject was last queued for a target."""
    mine = (outbox.c.subject == subject) & (outbox.c.target == target)
    newest = select(func.max(outbox.c.id)).where(mine).scalar_subquery()
    found = connection.execute(select(outbox.c.queued_at).where(outbox.c.id == newest)).scalar()
    return utc(found) if found else None


def _due(now: datetime, target: str | None = None) -> ColumnElement[bool]:
    unsent = outbox.c.status.in_(("pending", "claimed"))
    mine = unsent if target is None else unsent & (outbox.c.target == target)
    heads = select(func.min(outbox.c.id)).where(mine).group_by(outbox.c.subject, outbox.c.target)
    free = (outbox.c.status == "pending") | (outbox.c.claimed_until <= now)
    return outbox.c.id.in_(heads) & free & (outbox.c.not_before <= now)


def _mine(due: Due) -> ColumnElement[bool]:
    """Still claimed by the claim that ``due`` came from: whoever claimed after it ran out has counted another attempt."""
    return (outbox.c.id == due.id) & (outbox.c.status == "claimed") & (outbox.c.attempts == due.attempts + 1)


def mark_sent(connection: Connection, due: Due, at: datetime) -> None:
    """It arrived: true whoever holds the claim now."""
    connection.execute(
        outbox.update().where(outbox.c.id == due.id).values(status="sent", sent_at=at, claimed_until=None)
    )


def mark_retry(connection: Connection, due: Due, not_before: datetime, error: str) -> None:
    """Try again later; nothing if the claim has run out: a trigger put back after it was sent would follow its resolve."""
    connection.execute(
        outbox.update()
        .where(_mine(due))
        .values(status="pending", claimed_until=None, not_before=not_before, last_error=error[:2000])
    )


def mark_dead(connection: Connection, due: Due, error: str) -> None:
    """A final refusal: kept, counted and shown, never silently dropped; nothing if the claim has run out."""
    connection.execute(
        outbox.update().where(_mine(due)).values(status="dead", claimed_until=None, last_error=error[:2000])
    )


def counts(connection: Connection) -> dict[str, int]:
    """Notifications by status."""
    rows = connection.execute(select(outbox.c.status, func.count()).group_by(outbox.c.status))
    return {str(status): int(count) for status, count in rows}
