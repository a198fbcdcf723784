"""Resend: say again what fires to targets that forget what they do not hear of, as an Alertmanager does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from sloengine.alert.grouping import incident_key
from sloengine.alert.notification import Notification
from sloengine.config.receivers import Way
from sloengine.jobs.deps import Deps
from sloengine.jobs.enrol import leads
from sloengine.state import groups as group_rows
from sloengine.state import outbox
from sloengine.state.database import transaction
from sloengine.state.groups import Kept


def resend(engine: Deps, now: datetime) -> int:
    """Messages queued again: to each such target what it was told and what still fires, when its last word is old enough."""
    forgetful = {name: way for name, way in engine.alerting.targets.items() if way.target.policy.resend_s}
    if not forgetful:
        return 0
    with transaction(engine.state) as connection:
        if not leads(engine, connection, now):
            return 0
        told = [group for group in group_rows.every(connection) if group.state is not None and group.state.open]
        return sum(_resend(engine, connection, group, forgetful, now) for group in told)


def _resend(engine: Deps, connection: Connection, kept: Kept, forgetful: Mapping[str, Way], now: datetime) -> int:
    queued = 0
    for name in engine.alerting.targets_of(kept.receiver).keys() & forgetful.keys():
        way = forgetful[name]
        last = outbox.last_queued(connection, f"group:{kept.id}", name)
        if last is None or now - last < timedelta(seconds=way.target.policy.resend_s or 0):
            continue
        notification = _still_firing(connection, kept, engine.settings.public_url)
        for i, message in enumerate(way.target.messages(notification, way.config) if notification else ()):
            # By the second: another engine that is asked in the same moment queues the same.
            key = f"{message.incident}:{kept.told}:{name}:{now:%Y%m%d%H%M%S}:{i}"
            outbox.queue(connection, outbox.Message(f"group:{kept.id}", name, key, message.to_json()), now)
            queued += 1
    return queued


def _still_firing(connection: Connection, kept: Kept, external_url: str) -> Notification | None:
    """What the receiver was told of and has not ended."""
    known = kept.state.open if kept.state else frozenset()
    members = group_rows.members_of(connection, [kept.id])[kept.id]
    firing = tuple(m.told for m in members if m.told.ended_at is None and m.told.dedup_key in known)
    key = incident_key(kept.key, kept.state.incident if kept.state else 0)
    return Notification(kept.receiver, kept.key, key, kept.labels, firing, external_url) if firing else None
