"""Where an alert goes: Alertmanager's routing tree, walked depth first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sloengine.alert.matchers import all_match, in_order, labels_written, written
from sloengine.model import Matcher

EVERY_LABEL = "..."


@dataclass(frozen=True, slots=True)
class Timers:
    """How long a new group waits, how often a group is looked at, and after what time what still fires is told again."""

    wait: timedelta = timedelta(seconds=30)
    interval: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Branch:
    """A route as it is written: what is None or empty comes from its parent, but for intervals, which are its own."""

    matchers: tuple[Matcher, ...] = ()
    receiver: str = ""
    group_by: tuple[str, ...] = ()
    wait: timedelta | None = None
    interval: timedelta | None = None
    repeat: timedelta | None = None
    goes_on: bool = False
    """``continue``: later routes beside this one are tried too."""
    mute_in: tuple[str, ...] = ()
    active_in: tuple[str, ...] = ()
    safety: bool = False
    routes: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route with everything that it inherits."""

    receiver: str
    path: str
    """Matchers from the root to here, as they stand in group keys; two routes may have the same."""
    matchers: tuple[Matcher, ...]
    group_by: frozenset[str] | None
    """None: by every label, each alert is a group of its own."""
    timers: Timers
    goes_on: bool
    mute_in: tuple[str, ...]
    active_in: tuple[str, ...]
    safety: bool
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that are told together: those of one route that agree in what it groups by."""

    receiver: str
    key: str
    labels: Mapping[str, str]
    route: Route


def grow(branch: Branch, parent: Route | None = None) -> Route:
    """The tree of routes of a tree as written."""
    matchers = in_order(branch.matchers)
    above = parent.timers if parent else Timers()
    bare = Route(
        receiver=branch.receiver or (parent.receiver if parent else ""),
        path=f"{parent.path}/{written(matchers)}" if parent else written(matchers),
        matchers=matchers,
        group_by=_grouped(branch.group_by, parent),
        timers=Timers(
            above.wait if branch.wait is None else branch.wait,
            branch.interval or above.interval,
            branch.repeat or above.repeat,
        ),
        goes_on=branch.goes_on,
        mute_in=branch.mute_in,
        active_in=branch.active_in,
        safety=branch.safety or (parent is not None and parent.safety),
        routes=(),
    )
    return replace(bare, routes=tuple(grow(below, bare) for below in branch.routes))


def _grouped(by: Sequence[str], parent: Route | None) -> frozenset[str] | None:
    if EVERY_LABEL in by:
        return None
    if by or parent is None:
        return frozenset(by)
    return parent.group_by


def matching(route: Route, labels: Mapping[str, str]) -> list[Route]:
    """Routes that take an alert: the deepest of each branch, and of several branches only after one that goes on."""
    if not all_match(route.matchers, labels):
        return []
    found: list[Route] = []
    for below in route.routes:
        taken = matching(below, labels)
        found += taken
        if taken and not below.goes_on:
            break
    return found or [route]


def walk(route: Route, depth: int = 0) -> Iterator[tuple[int, Route]]:
    """Every route with its depth, parents first."""
    yield depth, route
    for below in route.routes:
        yield from walk(below, depth + 1)


def groups_of(tree: Route, labels: Mapping[str, str]) -> tuple[Group, ...]:
    """Groups that an alert is part of. What two routes of the same path would tell one receiver twice is told once."""
    found: dict[tuple[str, str], Group] = {}
    for route in matching(tree, labels):
        group = _group(route, labels)
        found.setdefault((group.receiver, group.key), group)
    return tuple(found.values())


def _group(route: Route, labels: Mapping[str, str]) -> Group:
    by = route.group_by
    own = {name: value for name, value in labels.items() if by is None or name in by}
    return Group(route.receiver, f"{route.path}:{labels_written(own)}", own, route)
