"""What only the store can tell about a catalogue: what matches nothing, too many slices, a rename that loses history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Protocol

from sloengine.config.annotations import PREFIX
from sloengine.config.findings import near
from sloengine.config.matchers import VALUE, shown, written
from sloengine.errors import Problem
from sloengine.model import Catalogue, Matcher, Selector, Slo, Source
from sloengine.monitor import DriftMonitor, Values

DAYS = 7
"""How far back telemetry is looked for."""
SHOWN = 5
"""Services or values that are named."""
WHERE = f"{PREFIX}where"
FOLDED = (Source.SUM, Source.HISTOGRAM, Source.GAUGE, Source.SPAN, Source.LOG)
"""Sources that telemetry brings; derived measures are written by jobs of ours."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What arrived of one metric, span or event in the last days."""

    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of each dimension or attribute that was asked about, the values that were seen (bounded); empty if it never was."""
    cut: frozenset[str] = frozenset()
    """Of which of them there were more values than could be looked at."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An SLO that was judged in the last 30 days."""

    name: str
    service: str
    indicator: str
    by: tuple[str, ...]


class Known(Protocol):
    """What the store knows; ``sloengine.cli`` answers from ClickHouse, tests from dictionaries."""

    def names(self, source: Source) -> Mapping[str, Sequence[str]]:
        """Names seen of a source, each with the services that sent it."""

    def seen(self, source: Source, name: str, service: str, keys: Sequence[str]) -> Seen | None:
        """None if nothing of this name arrived from the service."""

    def combinations(self, source: Source, name: str, service: str, keys: Sequence[str]) -> int:
        """Distinct combinations of dimensions and attributes."""

    def judged(self) -> Sequence[Judged]:
        """SLOs of the last 30 days."""


def check_live(
    catalogue: Catalogue, known: Known, places: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> list[Problem]:
    """Warnings about what the catalogue asks for and the store doesn't have; ``places``: the ``file:line`` by SLO and text."""
    found = []
    for slo in catalogue.slos:
        said = dict((*_unmatched(slo, known), *_silent(slo, known), *_too_many(slo, known)))
        found += [_at(slo, words, place, places) for words, place in said.items()]
    for monitor in catalogue.monitors:
        found += _of_monitor(monitor, known, places.get(f"DriftMonitor {monitor.name}", {}))
    return found + _renamed(catalogue, known.judged())


Said = tuple[str, str]
"""Words, and the text in the SLO's documents that they are about."""


def _at(
    slo: Slo, message: str, about: str = "", places: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> Problem:
    """At what it is about, at the indicator that stands for it, or at the SLO."""
    lines = places.get(slo.name, {})
    file, _, line = lines.get(about, lines.get(slo.indicator, slo.source)).rpartition(":")
    return Problem(file, int(line), message, "warning")


# --- selectors that match nothing


def _telemetry(slo: Slo) -> Iterable[Selector]:
    return (s for s in slo.sli.selectors if s.source in FOLDED)


def _unmatched(slo: Slo, known: Known) -> Iterable[Said]:
    for selector in _telemetry(slo):
        matchers = tuple(m for m in (*selector.where, *slo.where) if m.name != VALUE)
        keys = tuple(dict.fromkeys(m.name for m in matchers if m.name != "service"))
        seen = known.seen(selector.source, selector.name, slo.service, keys)
        if seen is None:
            yield f"SLO '{slo.name}': {_nothing(selector.source, selector.name, slo.service, known)}", selector.name
            continue
        for matcher in matchers:
            words = _no_value(matcher, seen)
            if words:
                said = (
                    f"SLO '{slo.name}': {shown(written(matcher))} matches nothing of '{shown(selector.name)}': {words}"
                )
                yield said, selector.name if matcher in selector.where else WHERE


def _nothing(source: Source, name: str, service: str, known: Known) -> str:
    names = known.names(source)
    what = {Source.SPAN: "span", Source.LOG: "event"}.get(source, f"{source} metric")
    said = f"no {what} '{shown(name)}' from service '{shown(service)}' in the last {DAYS} days"
    if name in names:
        return said + _near(service, names[name], "it comes from")
    close = get_close_matches(name, names, n=2, cutoff=0.6)
    return said + (f"; did you mean {' or '.join(repr(shown(n)) for n in close)}?" if close else "")


def _silent(slo: Slo, known: Known) -> Iterable[Said]:
    """What jobs of ours work out comes from all kinds of telemetry: that is only looked for where its service sends none."""
    if not slo.sli.selectors or any(_telemetry(slo)):
        return
    services = {service for source in FOLDED for sent in known.names(source).values() for service in sent}
    if slo.service not in services:
        said = f"SLO '{slo.name}': nothing came from service '{shown(slo.service)}' in the last {DAYS} days"
        yield said + _near(slo.service, services, "there are"), "service"


def _near(service: str, services: Iterable[str], otherwise: str) -> str:
    """The end of a sentence about a service that sends nothing: the nearest, or some of those that do."""
    listed = sorted(services)
    close = get_close_matches(service, listed, n=2, cutoff=0.6)
    if close:
        return f"; did you mean service {' or '.join(repr(shown(n)) for n in close)}?"
    return f"; {otherwise} {', '.join(shown(s) for s in listed[:SHOWN])}" if listed else ""


def _no_value(matcher: Matcher, seen: Seen) -> str:
    """Why no value meets a matcher; empty if one does, or if nobody can tell."""
    values = seen.values.get(matcher.name)
    if values is None or matcher.name in seen.cut:
        return ""
    if not values or values == {""}:
        optional = matcher.op in ("!=", "!~") or _meets(matcher, "")
        return "" if optional else f"nothing carries {shown(matcher.name)}"
    if any(_meets(matcher, value) for value in values):
        return ""
    listed = ", ".join(f"'{shown(v)}'" for v in sorted(values)[:SHOWN])
    return f"seen are {listed}"


def _meets(matcher: Matcher, value: str) -> bool:
    match matcher.op:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return re.fullmatch(matcher.value, value, re.DOTALL) is not None
        case _:
            return re.fullmatch(matcher.value, value, re.DOTALL) is None


# --- monitors


def _of_monitor(monitor: DriftMonitor, known: Known, lines: Mapping[str, str]) -> Iterable[Problem]:
    """A metric that nobody sends, segments or classes that it does not tell, critical models that it does not tell of."""
    source = Source.SUM if monitor.values is Values.CLASSES else Source.HISTOGRAM
    keys = tuple(filter(None, ("model", monitor.class_attribute, *monitor.segments)))
    seen = known.seen(source, monitor.metric, monitor.service, keys)
    if seen is None:
        said = [(_nothing(source, monitor.metric, monitor.service, known), monitor.metric)]
    else:
        untold = [key for key in keys if key != "model" and seen.values.get(key, frozenset()) <= {""}]
        said = [(f"nothing of '{shown(monitor.metric)}' carries {shown(key)}", key) for key in untold]
        unseen = [] if "model" in seen.cut else [model for model in monitor.critical if model not in _models(seen)]
        said += [(f"critical model '{shown(m)}' was not seen{near(m, _models(seen), 'seen')}", m) for m in unseen]
    for words, about in said:
        file, _, line = lines.get(about, monitor.source).rpartition(":")
        yield Problem(file, int(line), f"DriftMonitor '{monitor.name}': {words}", "warning")


def _models(seen: Seen) -> list[str]:
    return sorted(filter(None, seen.values.get("model", ())))


# --- too many slices


def _too_many(slo: Slo, known: Known) -> Iterable[Said]:
    if not slo.by:
        return
    counts = [
        known.combinations(source, name, slo.service, slo.by)
        for source, name in dict.fromkeys((s.source, s.name) for s in _telemetry(slo))
    ]
    if counts and max(counts) > slo.slices_max:
        yield (
            f"SLO '{slo.name}': {max(counts)} combinations of {', '.join(slo.by)} were seen, slices-max is {slo.slices_max}:"
            " the rest is folded into 'other'",
            f"{PREFIX}by",
        )


# --- renames


def _renamed(catalogue: Catalogue, judged: Sequence[Judged]) -> list[Problem]:
    """A name that was judged and is gone, while a new one promises the same: its history would begin anew."""
    here = {slo.name: slo for slo in catalogue.slos}
    before = {j.name for j in judged}
    claimed = {slo.was for slo in catalogue.slos if slo.was} | {b.name for b in catalogue.broken}
    gone = [j for j in judged if j.name not in here and j.name not in claimed]
    problems = []
    for slo in catalogue.slos:
        if slo.name in before or slo.was:
            continue
        old = [j.name for j in gone if (j.service, j.indicator, set(j.by)) == (slo.service, slo.indicator, set(slo.by))]
        if old:
            said = (
                f"SLO '{slo.name}' looks like '{shown(old[0])}' under a new name, whose history it loses; keep it with"
            )
            problems.append(_at(slo, f"{said} the annotation sloengine.dev/was: {shown(old[0])}"))
    return problems
