"""Alerts that others explain: while a source fires, its targets are not told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sloengine.alert.matchers import all_match
from sloengine.alert.notification import Told
from sloengine.model import Matcher


@dataclass(frozen=True, slots=True)
class Rule:
    """A firing alert that meets ``source`` mutes those that meet ``target`` and agree with it in the labels of ``equal``."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inhibitors:
    """Firing sources of each rule by what they must agree in: ten thousand alerts are not held against each other."""

    rules: tuple[tuple[Rule, Mapping[tuple[str, ...], Sequence[Told]]], ...]


def inhibitors(rules: Iterable[Rule], alerts: Iterable[Told]) -> Inhibitors:
    """What inhibits now; told or not, muted or not: a cause that nobody is told explains its symptoms all the same."""
    firing = [alert for alert in alerts if alert.ended_at is None]
    return Inhibitors(tuple((rule, _sources(rule, firing)) for rule in rules))


def _sources(rule: Rule, firing: Iterable[Told]) -> Mapping[tuple[str, ...], Sequence[Told]]:
    found: dict[tuple[str, ...], list[Told]] = {}
    for alert in firing:
        if all_match(rule.source, alert.labels):
            found.setdefault(_agreed(rule, alert.labels), []).append(alert)
    return found


def _agreed(rule: Rule, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)


def inhibiting(labels: Mapping[str, str], by: Inhibitors) -> list[tuple[Rule, Told]]:
    """What mutes an alert, one source for each rule.

    An alert that meets both sides of a rule is not muted by others that do: all of them would mute each other.
    """
    found = []
    for rule, sources in by.rules:
        if not all_match(rule.target, labels):
            continue
        both = all_match(rule.source, labels)
        for source in sources.get(_agreed(rule, labels), ()):
            if not (both and all_match(rule.target, source.labels)):
                found.append((rule, source))
                break
    return found
