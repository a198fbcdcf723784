"""Where an alert with some labels would go, and the whole tree: of ``alerting.yaml``, and of what is silenced and fires now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from io import StringIO
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from sloengine.alert.inhibition import Rule
from sloengine.alert.matchers import all_match, written
from sloengine.alert.muting import Quiet, mutes_of, quiet_at
from sloengine.alert.routes import EVERY_LABEL, Group, Route, Timers, groups_of
from sloengine.config.label_matchers import read_label_matchers
from sloengine.config.routing import Alerting
from sloengine.state import episodes as episode_rows
from sloengine.state import silences as silence_rows
from sloengine.state.database import open_database, transaction
from sloengine.times import format_duration, utc
from sloengine.tools.outcome import FOUND, OK, Outcome, Refused

WIDTH_MAX = 1000
"""Lines of the tree are not wrapped: what is wrapped can't be searched."""


def quiet_of(alerting: Alerting, now: datetime, state_url: str | None = None) -> Quiet:
    """What mutes: time intervals, and with the state of an engine what it knows of silences and of alerts that inhibit."""
    if state_url is None:
        return quiet_at(now, (), (), (), alerting.intervals)
    state = open_database(state_url)
    try:
        with transaction(state) as connection:
            silences, firing = silence_rows.current(connection, now), episode_rows.firing(connection).values()
    finally:
        state.dispose()
    return quiet_at(now, silences, alerting.rules, firing, alerting.intervals)


def run_route(alerting: Alerting, labels: str | None, quiet: Quiet) -> Outcome:
    """Where ``labels`` go, or the tree without any. If nobody would be told, that is something found.

    Raises:
        Refused: the labels can't be read.
    """
    if labels is None:
        return Outcome(_drawn(alerting.tree), {"route": _tree(alerting.tree)})
    named = labels_of(labels)
    found = [_found(alerting, group, named, quiet) for group in groups_of(alerting.tree, named)]
    heard = any(one["targets"] and not one["mutes"] for one in found)
    text = "\n\n".join(_said(one) for one in found)
    return Outcome(text, {"labels": named, "at": quiet.now.isoformat(), "routes": found}, OK if heard else FOUND)


def moment(text: str) -> datetime:
    """An ISO moment, UTC unless it says otherwise; it may lie ahead.

    Raises:
        Refused: it is none.
    """
    try:
        return utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Refused(f"--at: '{text}' is not a moment such as 2026-11-24T10:05 or 2026-11-24T10:05+01:00") from None


def labels_of(text: str) -> dict[str, str]:
    """``a=b,c="d, e"`` → labels.

    Raises:
        Refused: not of that form.
    """
    try:
        matchers = read_label_matchers(text)
    except ValueError as error:
        raise Refused(f"--labels: {error}") from None
    if any(m.op != "=" for m in matchers):
        raise Refused(f"--labels: '{text}' is not a set of labels such as severity=page,model=digits")
    return {m.name: m.value for m in matchers}


def _found(alerting: Alerting, group: Group, labels: Mapping[str, str], quiet: Quiet) -> dict[str, Any]:
    route = group.route
    mutes = mutes_of(labels, route, quiet)
    rules = () if route.safety else [rule for rule in alerting.rules if all_match(rule.target, labels)]
    return {
        "receiver": group.receiver,
        "targets": list(alerting.targets_of(group.receiver)),
        "group_key": group.key,
        "group_labels": dict(group.labels),
        "timers": _timers(route.timers),
        "safety": route.safety,
        "mutes": [asdict(mute) for mute in mutes],
        "muted_while": [_while(rule, labels) for rule in rules],
    }


def _timers(timers: Timers) -> dict[str, str]:
    return {
        "group_wait": format_duration(timers.wait),
        "group_interval": format_duration(timers.interval),
        "repeat_interval": format_duration(timers.repeat),
    }


def _while(rule: Rule, labels: Mapping[str, str]) -> str:
    """The alert that would mute this one, as matchers."""
    same = [f'{name}="{labels.get(name, "")}"' for name in rule.equal]
    return ", ".join([written(rule.source), *same])


def _said(one: Mapping[str, Any]) -> str:
    lines = [
        ("receiver", one["receiver"] + ("" if one["targets"] else " (has no target: nobody is told)")),
        ("targets", ", ".join(one["targets"]) or "-"),
        ("group", one["group_key"]),
        ("timers", ", ".join(f"{name} {span}" for name, span in one["timers"].items())),
        ("safety", "nothing mutes it but a silence with route=\"safety\"" if one["safety"] else "-"),
        ("mute now", "; ".join(f"{m['kind']} {m['name']} ({m['why']})" for m in one["mutes"]) or "-"),
        *(("mute while", f"{source} fires") for source in one["muted_while"]),
    ]  # fmt: skip
    return "\n".join(f"{name:<11}{value}" for name, value in lines if value != "-")


def _tree(route: Route) -> dict[str, Any]:
    return {
        "matchers": written(route.matchers),
        "receiver": route.receiver,
        "group_by": [EVERY_LABEL] if route.group_by is None else sorted(route.group_by),
        "timers": _timers(route.timers),
        "continue": route.goes_on,
        "safety": route.safety,
        "mute_time_intervals": list(route.mute_in),
        "active_time_intervals": list(route.active_in),
        "routes": [_tree(below) for below in route.routes],
    }


def _drawn(route: Route) -> str:
    console = Console(file=StringIO(), width=WIDTH_MAX, color_system=None)
    tree = Tree(Text(", ".join(_node(route, None))))
    _grow(tree, route)
    with console.capture() as captured:
        console.print(tree)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _grow(tree: Tree, route: Route) -> None:
    for below in route.routes:
        _grow(tree.add(Text(", ".join(_node(below, route)))), below)


def _node(route: Route, parent: Route | None) -> Iterator[str]:
    """What a route takes and where it leads; what it inherits is not said again."""
    yield f"{written(route.matchers) if parent else 'every alert'} → {route.receiver}"
    if parent is None or route.group_by != parent.group_by:
        by = EVERY_LABEL if route.group_by is None else ", ".join(sorted(route.group_by))
        yield f"by [{by}]"
    if parent is None or route.timers != parent.timers:
        yield ", ".join(f"{name} {span}" for name, span in _timers(route.timers).items())
    yield from (f"mute in {name}" for name in route.mute_in)
    yield from (f"active in {name}" for name in route.active_in)
    if route.safety and not (parent and parent.safety):
        yield "safety"
    if route.goes_on:
        yield "continue"
