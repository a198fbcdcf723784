"""Tell: look at the groups whose time has come, and queue what their receivers are to be told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sloengine.alert.grouping import Telling, step
from sloengine.alert.muting import Mute, MuteKind, Quiet, mutes_of, quiet_at
from sloengine.alert.notification import Notification
from sloengine.alert.routes import Group, Route, groups_of
from sloengine.jobs.deps import Deps
from sloengine.jobs.enrol import leads
from sloengine.state import episodes as episode_rows
from sloengine.state import groups as group_rows
from sloengine.state import outbox
from sloengine.state import silences as silence_rows
from sloengine.state.database import transaction
from sloengine.state.groups import Kept, Member

log = logging.getLogger("sloengine.jobs")

REROUTED = Mute(MuteKind.REROUTED, "", "the routing sends it elsewhere by now")


AT_ONCE = 50
"""Groups looked at in one transaction: in a storm others must come in between, a safety alert above all."""


def tell(engine: Deps, now: datetime) -> int:
    """Groups looked at; 0 once none is due. One transaction: what a group was told and what is queued for it always agree."""
    with transaction(engine.state) as connection:
        if not group_rows.any_due(connection, now) or not leads(engine, connection, now):
            return 0
        # Read once the lease is held: another engine may have told them until then.
        due = group_rows.due(connection, now, AT_ONCE)
        members = group_rows.members_of(connection, [group.id for group in due])
        turn = Turn(engine, connection, quiet_now(engine, connection, now), now)
        for group in due:
            turn.look(group, members[group.id])
        return len(due)


def quiet_now(engine: Deps, connection: Connection, now: datetime) -> Quiet:
    """Everything that may mute now."""
    alerting = engine.alerting
    # Without a rule nothing inhibits, and ten thousand alerts need not be read.
    firing = episode_rows.firing(connection).values() if alerting.rules else ()
    return quiet_at(now, silence_rows.current(connection, now), alerting.rules, firing, alerting.intervals)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of telling."""

    engine: Deps
    connection: Connection
    quiet: Quiet
    now: datetime

    def look(self, kept: Kept, members: Sequence[Member]) -> None:
        """One group."""
        group = group_in(self.engine.alerting.tree, kept, members)
        muted = {m.told.dedup_key for m in members if self.mutes(group.route, m)}
        ways = self.engine.alerting.targets_of(kept.receiver).values()
        resolves = any(way.config.send_resolved for way in ways)
        telling = Telling(group, send_resolved=resolves, external_url=self.engine.settings.public_url)
        done = step(telling, kept.state, [m.told for m in members], muted, self.now)
        queued = 0
        if done.notification is not None:
            queued = self._queue(kept, group.route, done.notification)
            log.warning("%s is told of %s: %s", kept.receiver, kept.key, done.reason.value)
        group_rows.save(self.connection, kept.id, done.state, done.look_at, kept.told + (1 if queued else 0))
        if done.state is not None:
            over = done.state.settled - done.state.open
            group_rows.leave(self.connection, kept.id, [m.episode_id for m in members if m.told.dedup_key in over])

    def mutes(self, route: Route, member: Member) -> tuple[Mute, ...]:
        return mutes_of(member.told.labels, route, self.quiet) if member.routed else (REROUTED,)

    def _queue(self, kept: Kept, route: Route, notification: Notification) -> int:
        queued = 0
        for name, way in self.engine.alerting.targets_of(kept.receiver).items():
            for i, message in enumerate(way.target.messages(notification, way.config)):
                # One key for each message of a group: a repeated request is recognised, wherever it was repeated.
                key = f"{notification.dedup_key}:{kept.told + 1}:{name}" + (f":{i}" if i else "")
                made = outbox.Message(f"group:{kept.id}", name, key, message.to_json(), urgent=route.safety)
                outbox.queue(self.connection, made, self.now)
                queued += 1
        return queued


def group_in(tree: Route, kept: Kept, members: Iterable[Member]) -> Group:
    """The group as the routing has it now; where it has none any more, the root's timers serve until its resolves are told."""
    for member in members:
        if member.routed:
            for group in groups_of(tree, member.told.labels):
                if (group.receiver, group.key) == (kept.receiver, kept.key):
                    return group
            break
    return Group(kept.receiver, kept.key, kept.labels, tree)
