"""Accept: alerts that others raise (Prometheus, clients of an Alertmanager) become episodes, durable before they are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from sloengine.alert.episodes import identity_of
from sloengine.alert.given import Given
from sloengine.jobs.deps import Deps
from sloengine.jobs.enrol import enrol
from sloengine.model import Severity
from sloengine.state import given as given_rows
from sloengine.state import groups as group_rows
from sloengine.state.database import one_at_a_time, transaction
from sloengine.state.given import Begun, Known

RAISED, ENDED, SILENT = "raised by a client", "ended by its client", "its client does not raise it any more"
PAGING = ("page", "critical")
"""What other systems call what can't wait."""


def accept(engine: Deps, alerts: Sequence[Given], now: datetime) -> None:
    """All of them in one transaction: when it returns they are as durable as the database is.

    Of the same labels the last one counts. What ends without having begun is nothing, as nobody was told.
    """
    newest = {identity_of(one.labels): one for one in alerts}
    with transaction(engine.state) as connection:
        one_at_a_time(connection)
        known = given_rows.known(connection, newest)
        begun = [
            _begun(identity, one, known.get(identity))
            for identity, one in newest.items()
            if one.ends_at > now and not _fires(known.get(identity))
        ]
        enrol(engine, connection, given_rows.begin(connection, begun, RAISED, now), now)
        firing = {identity: one for identity, one in newest.items() if _fires(known.get(identity))}
        again = {known[i].id: (one.annotations, one.ends_at) for i, one in firing.items() if one.ends_at > now}
        given_rows.go_on(connection, again, now)
        _end(connection, {known[i].id: one.ends_at for i, one in firing.items() if one.ends_at <= now}, ENDED, now)


def expire(engine: Deps, now: datetime) -> int:
    """End what nobody raises any more; how many. A client that was killed would leave its alerts firing for ever."""
    with transaction(engine.state) as connection:
        one_at_a_time(connection)
        over = given_rows.overdue(connection, now)
        _end(connection, over, SILENT, now)
    return len(over)


def _end(connection: Connection, over: Mapping[int, datetime], reason: str, now: datetime) -> None:
    given_rows.end(connection, over, reason, now)
    group_rows.touch(connection, list(over), now)


def _fires(known: Known | None) -> bool:
    return known is not None and known.firing


def _begun(identity: str, one: Given, before: Known | None) -> Begun:
    severity = Severity.PAGE if one.labels.get("severity") in PAGING else Severity.TICKET
    return Begun(
        identity,
        before.number + 1 if before else 1,
        severity.value,
        one.labels,
        one.annotations,
        one.starts_at,
        one.ends_at,
    )
