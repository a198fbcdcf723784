"""When a group of alerts is told: Alertmanager's timers over a state that outlives the process. Pure.

The state of a group goes in with its members, who of them is muted, and the time; out come the state to keep, what is to be
told if anything, and when to look again. Nothing is told twice because a process or a configuration began anew: what was told
is in the state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sloengine.alert.notification import Notification, Told
from sloengine.alert.routes import Group, Timers

Keys = frozenset[str]
"""Dedup keys of episodes."""


class Reason(StrEnum):
    """Why a group is told or not. Stored, shown, counted."""

    FIRST = "first alerts of the group"
    NEW = "new alerts fire"
    ALL_RESOLVED = "all alerts are resolved"
    SOME_RESOLVED = "some alerts are resolved"
    REPEAT = "it still fires after repeat_interval"
    UNCHANGED = "nothing new"
    WAITING = "the group's timer runs"
    EMPTY = "nothing fires"


TELLING = (Reason.FIRST, Reason.NEW, Reason.ALL_RESOLVED, Reason.SOME_RESOLVED, Reason.REPEAT)


@dataclass(frozen=True, slots=True)
class GroupState:
    """What must not be forgotten about a group."""

    incident: int = 0
    """Counts incidents: from the first firing alert that is told until everything that was told is resolved. It outlives an
    emptied group, or the next incident would have the name of a closed one."""
    next_at: datetime | None = None
    """When it is looked at next; None: the group is empty and its timers are forgotten."""
    flushed: bool = False
    firing: Keys = frozenset()
    """Told as firing at ``told_at``, with ``resolved``."""
    resolved: Keys = frozenset()
    told_at: datetime | None = None
    open: Keys = frozenset()
    """Told as firing and not as resolved: their resolves are owed to the receiver, muted or not. Callers hand them in as members
    until then, wherever they route by now."""
    settled: Keys = frozenset()
    """Resolved members that are done with and still handed in."""


@dataclass(frozen=True, slots=True)
class Step:
    state: GroupState | None
    """None: there is no group and never was one."""
    notification: Notification | None
    look_at: datetime | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Telling:
    """Which group is told, and what of its receiver matters."""

    group: Group
    send_resolved: bool = True
    external_url: str = ""


def step(
    telling: Telling, state: GroupState | None, members: Sequence[Told], muted: Collection[str], now: datetime
) -> Step:
    """One look at a group. ``members`` are its alerts as they are now, ``muted`` the dedup keys of those that are not told."""
    timers = telling.group.route.timers
    live = [m for m in members if state is None or m.dedup_key not in state.settled]
    if state is None or state.next_at is None:
        if not any(m.ended_at is None or (state and m.dedup_key in state.open) for m in live):
            return Step(state, None, None, Reason.EMPTY)
        state = replace(state or GroupState(), next_at=now + timers.wait)
    if not _is_due(timers, state, live, now):
        return Step(state, None, state.next_at, Reason.WAITING)
    # Done with at this look, told or not, as in Alertmanager: of what nobody heard firing nobody hears later that it ended.
    ended = _keys(m for m in live if m.ended_at)
    settled = (state.settled & _keys(members)) | ended
    heard = [m for m in live if m.dedup_key not in muted or (m.ended_at and m.dedup_key in state.open)]
    told, notification, reason = _tell(telling, state, heard, now)
    if len(ended) == len(live):
        return Step(GroupState(told.incident, open=told.open, settled=settled), notification, None, reason)
    kept = replace(told, next_at=now + timers.interval, flushed=True, settled=settled)
    return Step(kept, notification, kept.next_at, reason)


def _is_due(timers: Timers, state: GroupState, live: Iterable[Told], now: datetime) -> bool:
    """A new group waits for more alerts, but not for the sake of one that has fired for longer than that already."""
    late = not state.flushed and any(m.ended_at is None and m.started_at + timers.wait < now for m in live)
    return late or state.next_at is None or now >= state.next_at


def _tell(
    telling: Telling, state: GroupState, heard: Sequence[Told], now: datetime
) -> tuple[GroupState, Notification | None, Reason]:
    firing, resolved = _keys(m for m in heard if not m.ended_at), _keys(m for m in heard if m.ended_at)
    reason = _reason(telling, state, firing, resolved, now)
    if reason not in TELLING:
        return replace(state, open=state.open - resolved), None, reason
    told = replace(
        state,
        incident=state.incident + (1 if firing and not state.open else 0),
        firing=firing,
        resolved=resolved,
        told_at=now,
        open=(state.open | firing) - resolved,
    )
    shown = [m for m in heard if telling.send_resolved or not m.ended_at]
    return told, _notification(telling, told, shown) if shown else None, reason


def _reason(telling: Telling, state: GroupState, firing: Keys, resolved: Keys, now: datetime) -> Reason:
    if firing - state.firing:
        return Reason.NEW if state.open else Reason.FIRST
    if not firing:
        owed = bool(resolved) and bool(state.firing or resolved & state.open)
        return Reason.ALL_RESOLVED if owed else Reason.UNCHANGED
    if telling.send_resolved and resolved - state.resolved:
        return Reason.SOME_RESOLVED
    due = state.told_at is not None and state.told_at + telling.group.route.timers.repeat <= now
    return Reason.REPEAT if due else Reason.UNCHANGED


def _notification(telling: Telling, state: GroupState, alerts: Iterable[Told]) -> Notification:
    group = telling.group
    return Notification(
        receiver=group.receiver,
        group_key=group.key,
        dedup_key=incident_key(group.key, state.incident),
        group_labels=group.labels,
        alerts=tuple(sorted(alerts, key=lambda m: (m.started_at, m.dedup_key))),
        external_url=telling.external_url,
    )


def incident_key(group_key: str, incident: int) -> str:
    """What receivers know a group's incident by: short, and the same after a restart."""
    return f"sloengine-group-{hashlib.sha256(group_key.encode()).hexdigest()[:20]}-{incident}"


def _keys(members: Iterable[Told]) -> Keys:
    return frozenset(m.dedup_key for m in members)
