"""Reload: take up an ``alerting.yaml`` that has changed, without forgetting or repeating anything."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from sloengine.alert.routes import Group, groups_of
from sloengine.config.routing import Alerting, load_alerting, unknown_hooks
from sloengine.errors import ConfigError
from sloengine.jobs.deps import Deps
from sloengine.jobs.enrol import leads
from sloengine.state import episodes as episode_rows
from sloengine.state import groups as group_rows
from sloengine.state.database import transaction
from sloengine.state.groups import Kept, Member

log = logging.getLogger("sloengine.jobs")


def reload(engine: Deps, now: datetime) -> bool:
    """Whether there was something new; the first time always, as nobody knows what was in force before.

    What can't be read leaves the last good one in force, and is said until it can.
    """
    try:
        found = load_alerting(engine.settings.alerting)
        problems = unknown_hooks(found, engine.catalogue.monitors)
    except ConfigError as error:
        return _refused(engine, error)
    if problems:
        return _refused(engine, ConfigError(problems))
    engine.routing_problems = ()
    if found == engine.alerting and engine.routing_moved:
        return False
    with transaction(engine.state) as connection:
        # Before it is committed: whoever begins an alert after this finds the new routing.
        engine.alerting = found
        if leads(engine, connection, now):
            move(connection, found, now)
    engine.routing_moved = True
    log.info("routing taken up from %s", engine.settings.alerting)
    return True


def _refused(engine: Deps, error: ConfigError) -> bool:
    said = tuple(f"the routing in force is an older one: {problem}" for problem in error.problems)
    if said != engine.routing_problems:
        log.error("%s is not taken up: %s", engine.settings.alerting, error)
    engine.routing_problems = said
    return False


def move(connection: Connection, alerting: Alerting, now: datetime) -> None:
    """Put what fires into the groups that the routing has now.

    What a receiver was told of stays in the group in which it was told, or it would be told again; a receiver that the routing no
    longer names for it is still owed its resolve.
    """
    stored = {group.id: group for group in group_rows.every(connection)}
    joined = group_rows.members_of(connection, list(stored))
    held: dict[int, list[Member]] = {}
    for member in (m for some in joined.values() for m in some):
        held.setdefault(member.episode_id, []).append(member)
    fresh: dict[int, list[Group]] = {}
    for episode, told in episode_rows.firing(connection).items():
        wanted = groups_of(alerting.tree, told.labels)
        mine = held.get(episode, [])
        kept = {m.group_id for m in mine if _stays(stored[m.group_id], m, wanted)}
        receivers = {stored[one].receiver for one in kept}
        fresh[episode] = [g for g in wanted if g.receiver not in receivers]
        for member in mine:
            _move(connection, stored[member.group_id], member, stays=member.group_id in kept)
    group_rows.enrol(connection, {episode: some for episode, some in fresh.items() if some}, now)


def _stays(group: Kept, member: Member, wanted: Collection[Group]) -> bool:
    if (group.receiver, group.key) in [(g.receiver, g.key) for g in wanted]:
        return True
    return _was_told(group, member) and group.receiver in [g.receiver for g in wanted]


def _was_told(group: Kept, member: Member) -> bool:
    return group.state is not None and member.told.dedup_key in group.state.open


def _move(connection: Connection, group: Kept, member: Member, *, stays: bool) -> None:
    if stays or _was_told(group, member):
        group_rows.reroute(connection, group.id, [member.episode_id], routed=stays)
    else:
        group_rows.leave(connection, group.id, [member.episode_id])
