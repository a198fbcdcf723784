"""Whoever may change alerts, and which groups what begins is told with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from sloengine.alert.routes import groups_of
from sloengine.jobs.deps import Deps
from sloengine.state import groups as group_rows
from sloengine.state.database import ENGINE, take_lease


def leads(engine: Deps, connection: Connection, now: datetime) -> bool:
    """Whether this engine may begin and end alerts now: of several on one state one does."""
    settings = engine.settings.engine
    ttl = timedelta(seconds=settings.lease_s or max(5.0, 1.5 * settings.tick_s))
    return take_lease(connection, ENGINE, engine.holder, now, ttl) is not None


def enrol(engine: Deps, connection: Connection, begun: Mapping[int, Mapping[str, str]], now: datetime) -> None:
    """Put episodes that begin, labels by id, into the groups that the routing names."""
    tree = engine.alerting.tree
    group_rows.enrol(connection, {one: groups_of(tree, labels) for one, labels in begun.items()}, now)
