"""``alerting.yaml``: whole files in Alertmanager's vocabulary. What is not acted on is named, and the file loads all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from sloengine.alert.inhibition import Rule
from sloengine.alert.intervals import Intervals
from sloengine.alert.routes import Route, grow
from sloengine.config.alertmanager import doubts_of, unsupported_ways, without_unsupported
from sloengine.config.documents import Strict
from sloengine.config.findings import near
from sloengine.config.intervals import NamedInterval
from sloengine.config.matchers import shown
from sloengine.config.receivers import Hook, Receiver, Way, ways_of
from sloengine.config.routes import InhibitConfig, RouteConfig
from sloengine.config.yamlfile import Document, plain, problems_of, read_documents
from sloengine.errors import ConfigError, Problem
from sloengine.monitor import DriftMonitor
from sloengine.notify.settings import files_of

Path_ = tuple[str | int, ...]
_given = BeforeValidator(lambda value: [] if value is None else value)


class Alerting(Strict):
    route: RouteConfig
    receivers: list[Receiver] = Field(min_length=1)
    inhibit_rules: Annotated[list[InhibitConfig], _given] = Field(default=[])
    time_intervals: Annotated[list[NamedInterval], _given] = Field(default=[])
    mute_time_intervals: Annotated[list[NamedInterval], _given] = Field(default=[])
    """As Alertmanager called them before 0.24."""
    hooks: Annotated[list[Hook], _given] = Field(default=[])

    @cached_property
    def targets(self) -> dict[str, Way]:
        """Every way to tell somebody by stable name: ``receiver/pagerduty/0``."""
        return {name: way for receiver in self.receivers for name, way in receiver.ways()}

    def targets_of(self, receiver: str) -> dict[str, Way]:
        """Those of one receiver; none of one that is no longer there."""
        found = next((r for r in self.receivers if r.name == receiver), None)
        return dict(found.ways()) if found else {}

    def hook(self, name: str) -> Hook | None:
        return next((hook for hook in self.hooks if hook.name == name), None)

    @cached_property
    def tree(self) -> Route:
        return grow(self.route.branch())

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(config.rule() for config in self.inhibit_rules)

    @cached_property
    def intervals(self) -> Intervals:
        named = (*self.mute_time_intervals, *self.time_intervals)
        return {one.name: tuple(times.value() for times in one.time_intervals) for one in named}


def unknown_hooks(alerting: Alerting, monitors: Iterable[DriftMonitor]) -> list[Problem]:
    """Of monitors that call a hook which the routing doesn't have."""
    known = [hook.name for hook in alerting.hooks]
    return [
        Problem(
            *_place(m.source),
            f"retrain names hook '{shown(m.retrain)}', which alerting.yaml lacks{near(m.retrain, known)}",
        )
        for m in monitors
        if m.retrain and m.retrain not in known
    ]


def _place(source: str) -> tuple[str, int]:
    file, _, line = source.rpartition(":")
    return file, int(line)


def load_alerting(path: Path) -> Alerting:
    """Read the routing.

    Raises:
        ConfigError: what :func:`check_alerting` calls an error, all of it at once.
    """
    if not path.exists():
        raise ConfigError([Problem(str(path), 1, "no such file; it says where alerts go (route, receivers)")])
    documents = read_documents(path)
    if len(documents) != 1:
        raise ConfigError([Problem(str(path), 1, f"expected one YAML document, found {len(documents)}")])
    alerting, problems = check_alerting(documents[0])
    if alerting is None:
        raise ConfigError([p for p in problems if p.severity == "error"])
    return alerting


def is_alerting(document: Document) -> bool:
    """Whether a document is meant as routing; it carries no apiVersion, as Alertmanager's doesn't."""
    return isinstance(document.value, dict) and "apiVersion" not in document.value and "receivers" in document.value


def check_alerting(document: Document) -> tuple[Alerting | None, list[Problem]]:
    """Routing of one document, None if anything is wrong with it, and what is wrong (errors) or not acted on (warnings)."""
    rest, problems = without_unsupported(document)
    alerting = None
    try:
        alerting = Alerting.model_validate(plain(rest.value))
    except ValidationError as error:
        problems += problems_of(error, rest, Alerting)
    problems += [*_Links(document).problems(), *doubts_of(document)]
    if any(p.severity == "error" for p in problems):
        return None, problems
    if alerting is None or any(p.severity == "error" for p in problems):
        return None, problems
    return alerting, [*problems, *_missing_files(alerting, document), *_doubtful(alerting, rest)]


def _missing_files(alerting: Alerting, document: Document) -> Iterator[Problem]:
    """Secrets that can't be read are better known now than at the first page; where a file is linted they need not be."""
    for i, receiver in enumerate(alerting.receivers):
        for name, way in receiver.ways():
            place = ("receivers", i, way.key, int(name.rpartition("/")[2]))
            for path, file in files_of(way.config):
                if not file.is_file():
                    yield document.problem(f"there is no file {file} here", (*place, *path), "warning")


class _Links:
    """What must fit together, read from the file as written: a mistake of shape elsewhere hides none of these."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._value: dict[str, Any] = document.value if isinstance(document.value, dict) else {}
        self._receivers = [str(receiver["name"]) for _, receiver in self._named("receivers")]
        both = (*self._named("mute_time_intervals"), *self._named("time_intervals"))
        self._intervals = [str(interval["name"]) for _, interval in both]
        self._routes = list(_routes(self._value.get("route"), ("route",)))

    def problems(self) -> Iterator[Problem]:
        yield from self._twice("receiver", "receivers")
        yield from self._twice("hook", "hooks")
        yield from self._twice("time interval", "mute_time_intervals", "time_intervals")
        yield from self._secrets()
        if self._routes and self._routes[0][0] == ("route",):
            yield from self._root(self._routes[0][1])
        for path, route in self._routes:
            yield from self._receiver(path, route)
            yield from self._times(path, route)
            yield from self._grouping(path, route)
        yield from self._mute_receivers()

    def _named(self, key: str) -> list[tuple[Path_, dict[str, Any]]]:
        listed = self._value.get(key)
        items = enumerate(listed if isinstance(listed, list) else ())
        return [((key, i), item) for i, item in items if isinstance(item, dict) and "name" in item]

    def _say(self, message: str, path: Path_) -> Problem:
        return self._document.problem(message, path)

    def _twice(self, what: str, *keys: str) -> Iterator[Problem]:
        seen: set[str] = set()
        for path, item in (found for key in keys for found in self._named(key)):
            name = str(item["name"])
            if name in seen:
                yield self._say(f"{what} '{shown(name)}' is defined twice", (*path, "name"))
            seen.add(name)

    def _secrets(self) -> Iterator[Problem]:
        for path, hook in self._named("hooks"):
            file = hook.get("secret_file")
            if isinstance(file, str) and not Path(file).is_file():
                yield self._say(f"there is no file {file}", (*path, "secret_file"))

    def _root(self, route: dict[str, Any]) -> Iterator[Problem]:
        if not route.get("receiver"):
            yield self._say("route: the first route needs a receiver, for alerts that no other takes", ("route",))
        for key in ("match", "match_re", "matchers"):
            if route.get(key):
                yield self._say(f"route.{key}: the first route takes every alert", ("route", key))
        for key in ("mute_time_intervals", "active_time_intervals"):
            if route.get(key):
                yield self._say(f"route.{key}: the first route is always active; use one below it", ("route", key))
        if route.get("continue"):
            yield self._say("route.continue: there is nothing beside the first route", ("route", "continue"))

    def _receiver(self, path: Path_, route: dict[str, Any]) -> Iterator[Problem]:
        name = route.get("receiver")
        if self._receivers and isinstance(name, str) and name and name not in self._receivers:
            known = ", ".join(shown(r) for r in dict.fromkeys(self._receivers))
            yield self._say(f"{_dotted(path)} names receiver '{shown(name)}'; known: {known}", (*path, "receiver"))

    def _times(self, path: Path_, route: dict[str, Any]) -> Iterator[Problem]:
        for key in ("mute_time_intervals", "active_time_intervals"):
            names = route.get(key)
            for i, name in enumerate(names if isinstance(names, list) else ()):
                if str(name) not in self._intervals:
                    said = (
                        f"{_dotted(path)}.{key} names time interval '{shown(name)}'{near(str(name), self._intervals)}"
                    )
                    yield self._say(said, (*path, key, i))

    def _grouping(self, path: Path_, route: dict[str, Any]) -> Iterator[Problem]:
        by = route.get("group_by")
        names = by if isinstance(by, list) else []
        for i, name in enumerate(names):
            if name in names[:i]:
                yield self._say(f"{_dotted(path)}.group_by names '{shown(name)}' twice", (*path, "group_by", i))
        if "..." in names and len(set(map(str, names))) > 1:
            said = f"{_dotted(path)}.group_by: '...' means every label, and stands alone"
            yield self._say(said, (*path, "group_by"))

    def _mute_receivers(self) -> Iterator[Problem]:
        """Alerts that are routed to somebody who can't be reached are lost without a word."""
        used = {str(route.get("receiver")) for _, route in self._routes}
        for path, receiver in self._named("receivers"):
            ways = unsupported_ways(receiver)
            if ways and str(receiver["name"]) in used and not _reachable(receiver):
                listed = ", ".join(ways)
                said = f"a route sends to receiver '{shown(receiver['name'])}', which has no supported way to send: {listed}"
                yield self._say(said, (*path, "name"))


def _reachable(receiver: dict[str, Any]) -> bool:
    from_fields = (receiver.get(way) for way in ways_of())
    return any(
        isinstance(config, dict) for listed in from_fields for config in (listed if isinstance(listed, list) else ())
    )


def _routes(route: object, path: Path_) -> Iterator[tuple[Path_, dict[str, Any]]]:
    if not isinstance(route, dict):
        return
    yield path, route
    below = route.get("routes")
    for i, one in enumerate(below if isinstance(below, list) else ()):
        yield from _routes(one, (*path, "routes", i))


def _dotted(path: Path_) -> str:
    return ".".join(map(str, path))


def _doubtful(alerting: Alerting, document: Document) -> Iterator[Problem]:
    """What is no mistake of form and surely not meant."""
    seen: dict[tuple[str, str], str] = {}
    for path, config, route in _grown(alerting.route, alerting.tree, ("route",)):
        if route.safety and (config.mute_time_intervals or config.active_time_intervals):
            said = f"{_dotted(path)}: time intervals are not acted on: nothing mutes a safety route but a silence that names it"
            yield document.problem(said, path, "warning")
        first = seen.setdefault((route.receiver, route.path), _dotted(path))
        if first != _dotted(path):
            said = f"{_dotted(path)} has the matchers and the receiver of {first}: an alert that both take is told once"
            yield document.problem(said, path, "warning")
    for i, rule in enumerate(alerting.rules):
        if not rule.target or not rule.source:
            side = "target" if rule.source else "source"
            said = f"inhibit_rules.{i} has no {side} matchers: every alert is one"
            yield document.problem(said, ("inhibit_rules", i), "warning")


def _grown(config: RouteConfig, route: Route, path: Path_) -> Iterator[tuple[Path_, RouteConfig, Route]]:
    yield path, config, route
    for i, (below, grown) in enumerate(zip(config.routes, route.routes, strict=True)):
        yield from _grown(below, grown, (*path, "routes", i))
