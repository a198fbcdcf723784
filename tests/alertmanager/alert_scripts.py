"""Random scripts of alerts, and what the pure engine tells of them under a fake clock.

Time is counted in thirds of a unit. Alerts come and go, and silences begin and end, at whole units; groups are flushed a third
later, because ``group_wait`` is a third beyond whole units and all other timers keep in step. The one alert of a script that is
older than every ``group_wait`` when it comes, and is flushed at once, comes two thirds after one: so nothing ever happens within
a third of a unit of anything it could overtake.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sloengine.alert import grouping, muting, routes
from sloengine.alert.grouping import GroupState, Reason, Step, Telling
from sloengine.alert.notification import Told
from sloengine.alert.routes import Group
from sloengine.alert.silences import Silence
from sloengine.config.routing import Alerting
from sloengine.model import Matcher

THIRDS = 3
EVENTS_END, SCRIPT_END = 17 * THIRDS, 27 * THIRDS
"""When the last alert comes, and how long what comes of it is watched."""
PAUSE = 4 * THIRDS
"""Longer than every group_interval. Alertmanager knows an alert by its labels alone: one that comes back between two flushes
never went for it, while an episode here ends. So they stay away, and come for good, for longer than that."""
AGE = 3 * THIRDS
"""Of an alert that comes late: longer than every group_wait."""
KINDS = ("plain", "plain", "muted", "muted", "quiet")
STEPS = 30
"""Into how many parts of a unit the beginnings of scripts are spread."""
SILENCED = 0.35
"""Share of scripts of kind ``muted`` with a silence; Alertmanager holds every silence against every alert."""
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Firing:
    labels: Mapping[str, str]
    begins: int
    ends: int
    age: int = 0


@dataclass(frozen=True)
class Hush:
    """A silence."""

    matchers: tuple[Matcher, ...]
    asked: int
    begins: int
    ends: int


@dataclass(frozen=True)
class Script:
    name: str
    firings: tuple[Firing, ...]
    hushes: tuple[Hush, ...] = ()
    offset: float = 0.0
    """Thirds that it begins after the others: all at once they would flush all at once."""


@dataclass(frozen=True)
class Heard:
    """One notification, as both sides are compared by."""

    status: str
    members: frozenset[tuple[frozenset[tuple[str, str]], str]]


Name = tuple[str, str]
"""Receiver and group key."""


@dataclass
class Expected:
    """What of a script is told, by group, each with when (thirds)."""

    told: dict[Name, list[tuple[int, Heard]]] = field(default_factory=dict)
    differs: dict[Name, int] = field(default_factory=dict)
    """When a resolve is told here that Alertmanager swallows, because a mute met it, or the group was told as resolved while a
    mute hid that it still fires: from then on the two differ by intention."""
    emptied: list[tuple[Name, int]] = field(default_factory=list)


def make(seed: int, number: int) -> Script:
    """The same script for the same numbers, on any machine."""
    rng = random.Random(f"{seed}/{number}")
    name, kind = f"s{number}", rng.choice(KINDS)
    firings: list[Firing] = []
    for labels in _label_sets(rng, name, kind):
        # In Alertmanager a cause that flushes its group at once may come too late for its symptom there: who is first is chance.
        late = kind != "muted" and not any(f.age for f in firings)
        firings += _firings(rng, labels, again=kind == "plain", late=late)
    hushed = kind == "muted" and rng.random() < SILENCED
    kept = tuple(f for f in firings if f.begins <= EVENTS_END)
    return Script(name, kept, (_hush(rng, name),) if hushed else (), number % STEPS * THIRDS / STEPS)


def _firings(rng: random.Random, labels: Mapping[str, str], *, again: bool, late: bool) -> Iterator[Firing]:
    begins = THIRDS * rng.randrange(9)
    ends = begins + THIRDS * rng.randrange(1, 9)
    if late and rng.random() < 0.15:
        yield Firing(labels, begins + 2, ends, AGE)
    else:
        yield Firing(labels, begins, ends)
    while again and rng.random() < 0.5:
        begins = ends + PAUSE + THIRDS * rng.randrange(3)
        ends = begins + PAUSE + THIRDS * rng.randrange(4)
        yield Firing(labels, begins, ends)


def _label_sets(rng: random.Random, name: str, kind: str) -> list[dict[str, str]]:
    every = [
        {"alertname": alert, "severity": severity, "team": team}
        for alert in "ABC"
        for severity in ("page", "ticket")
        for team in ("x", "y", "z", "on", "off")
    ]
    more = {"script": name, "kind": kind, "odd": 'a"b\\c ü\n'}
    return [{**labels, **more} for labels in rng.sample(every, rng.randrange(1, 6))]


def _hush(rng: random.Random, name: str) -> Hush:
    asked = THIRDS * rng.randrange(10)
    begins = asked + THIRDS * rng.choice((0, 0, 2))
    narrow = (
        Matcher("alertname", "=", rng.choice("ABC")),
        Matcher("severity", "=~", "pag.|x"),
        Matcher("team", "!=", "x"),
        Matcher("team", "!~", "y|z"),
    )
    matchers = (Matcher("script", "=", name), rng.choice(narrow))
    return Hush(matchers, asked, begins, begins + THIRDS * rng.randrange(1, 9))


def without_overlap(script: Script, alerting: Alerting, unit: float, swept: int) -> tuple[Script, Expected]:
    """The script without alerts that come to a group that is empty and not yet forgotten by Alertmanager, which does that every
    half minute (``swept``): there they would wait for what is left of a ``group_interval``, here the group begins anew."""
    while True:
        expected = replay(script, alerting, unit)
        bad = next(_too_early(script, expected, alerting, swept), None)
        if bad is None:
            return script, expected
        script = replace(script, firings=tuple(f for f in script.firings if f is not bad))


def _too_early(script: Script, expected: Expected, alerting: Alerting, swept: int) -> Iterator[Firing]:
    for name, at in expected.emptied:
        forgotten = swept - script.offset if at < swept - script.offset - 2 else SCRIPT_END
        for firing in script.firings:
            groups = {(g.receiver, g.key) for g in routes.groups_of(alerting.tree, firing.labels)}
            if name in groups and at < firing.begins <= forgotten + 1:
                yield firing


def replay(script: Script, alerting: Alerting, unit: float) -> Expected:
    """What the pure engine tells, looked at whenever an alert comes or goes and whenever it asked to be."""
    return _Replay(script, alerting, unit).run()


class _Replay:
    def __init__(self, script: Script, alerting: Alerting, unit: float) -> None:
        self._script, self._alerting, self._unit = script, alerting, unit
        self._groups: dict[Name, tuple[Group, list[Firing]]] = {}
        for firing in script.firings:
            for group in routes.groups_of(alerting.tree, firing.labels):
                self._groups.setdefault((group.receiver, group.key), (group, []))[1].append(firing)
        self._silences = [
            Silence(str(h.asked), h.matchers, self._at(h.begins), self._at(h.ends), "a", "r") for h in script.hushes
        ]
        self._expected = Expected()

    def run(self) -> Expected:
        for name, (group, firings) in self._groups.items():
            self._one(name, group, firings)
        return self._expected

    def _at(self, third: int) -> datetime:
        return START + timedelta(seconds=third * self._unit / THIRDS)

    def _one(self, name: Name, group: Group, firings: list[Firing]) -> None:
        state: GroupState | None = None
        ways = self._alerting.targets_of(group.receiver).values()
        telling = Telling(group, any(way.config.send_resolved for way in ways))
        looks = {third for firing in firings for third in (firing.begins, firing.ends)}
        while looks and (now := min(looks)) <= SCRIPT_END:
            looks.discard(now)
            members = [self._told(firing, now) for firing in firings if firing.begins <= now]
            muted = self._muted(group, members, now)
            made = grouping.step(telling, state, members, muted, self._at(now))
            if made.reason not in (Reason.WAITING, Reason.EMPTY):
                owed = state.open - state.settled if state else frozenset()
                spared = any(m.ended_at and m.dedup_key in muted and m.dedup_key in owed for m in members)
                owing = made.reason is Reason.ALL_RESOLVED and state is not None and not state.firing
                self._record(name, now, made, differs=spared or owing)
            state = made.state
            if made.look_at is not None:
                looks.add(round((made.look_at - START).total_seconds() / self._unit * THIRDS))

    def _told(self, firing: Firing, now: int) -> Told:
        return Told(
            f"{sorted(firing.labels.items())}-{firing.begins}",
            firing.labels,
            {},
            self._at(firing.begins - firing.age),
            self._at(firing.ends) if firing.ends <= now else None,
        )

    def _muted(self, group: Group, members: list[Told], now: int) -> set[str]:
        alerts = [self._told(firing, now) for firing in self._script.firings if firing.begins <= now]
        alerting = self._alerting
        quiet = muting.quiet_at(self._at(now), self._silences, alerting.rules, alerts, alerting.intervals)
        return {m.dedup_key for m in members if muting.mutes_of(m.labels, group.route, quiet)}

    def _record(self, name: Name, now: int, made: Step, *, differs: bool) -> None:
        if differs:
            self._expected.differs.setdefault(name, now)
        if made.look_at is None:
            self._expected.emptied.append((name, now))
        if made.notification:
            members = frozenset((frozenset(m.labels.items()), m.status) for m in made.notification.alerts)
            self._expected.told.setdefault(name, []).append((now, Heard(made.notification.status, members)))
