"""What fires now, whom it is for, and what keeps anybody from being told: a mute is never invisible."""

from __future__ import annotations

from datetime import datetime

from sloengine.alert.muting import AlertNow, mutes_of
from sloengine.alert.routes import groups_of
from sloengine.jobs.deps import Deps
from sloengine.jobs.tell import quiet_now
from sloengine.state import episodes as episode_rows
from sloengine.state.database import transaction


def alerts_now(engine: Deps, now: datetime) -> list[AlertNow]:
    """Everything that fires, oldest first."""
    tree = engine.alerting.tree
    with transaction(engine.state) as connection:
        quiet = quiet_now(engine, connection, now)
        firing = list(episode_rows.firing(connection).values())
    return [
        AlertNow(
            told, {group.receiver: mutes_of(told.labels, group.route, quiet) for group in groups_of(tree, told.labels)}
        )
        for told in firing
    ]
