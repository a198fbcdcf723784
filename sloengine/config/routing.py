"""``alerting.yaml``: Alertmanager's vocabulary, as much of it as is acted on; every other key is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, HttpUrl, ValidationError

from sloengine.config.documents import Strict
from sloengine.config.findings import near
from sloengine.config.matchers import shown
from sloengine.config.yamlfile import Document, plain, problems_of, read_documents
from sloengine.errors import ConfigError, Problem
from sloengine.monitor import DriftMonitor

_OTHERS = re.compile(r"unknown key '([^']*\b[a-z0-9]+_configs)'")


class WebhookConfig(Strict):
    url: HttpUrl = Field(repr=False)
    send_resolved: bool = True


class Receiver(Strict):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    webhook_configs: list[WebhookConfig] = Field(default_factory=list)


class Hook(Strict):
    """Who is asked to do something: no key of Alertmanager's."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    url: HttpUrl = Field(repr=False)
    secret_file: Path | None = None
    """Calls are signed with what it holds."""


class Route(Strict):
    receiver: str


class Alerting(Strict):
    route: Route
    receivers: list[Receiver] = Field(min_length=1)
    hooks: list[Hook] = Field(default_factory=list)

    def targets(self) -> dict[str, WebhookConfig]:
        """Targets of the one route by stable name: ``receiver/index``."""
        receiver = next(r for r in self.receivers if r.name == self.route.receiver)
        return {f"{receiver.name}/{i}": config for i, config in enumerate(receiver.webhook_configs)}

    def hook(self, name: str) -> Hook | None:
        return next((hook for hook in self.hooks if hook.name == name), None)


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


def _sendable(problem: Problem) -> Problem:
    """Alertmanager's other ways to send are no typing mistakes, and a nearest key would not help."""
    found = _OTHERS.match(problem.message)
    return replace(problem, message=f"{found[1]}: only webhook_configs is supported so far") if found else problem


def _twice(document: Document, what: str, names: list[str]) -> Iterator[Problem]:
    for i, name in enumerate(names):
        if name in names[:i]:
            yield document.problem(f"{what} '{name}' is defined twice", (f"{what}s", i, "name"))


def load_alerting(path: Path) -> Alerting:
    """Read the routing.

    Raises:
        ConfigError: missing, unknown key, unknown receiver, duplicate receiver.
    """
    if not path.exists():
        raise ConfigError([Problem(str(path), 1, "no such file; it says where alerts go (route, receivers)")])
    documents = read_documents(path)
    if len(documents) != 1:
        raise ConfigError([Problem(str(path), 1, f"expected one YAML document, found {len(documents)}")])
    return read_alerting(documents[0])


def is_alerting(document: Document) -> bool:
    """Whether a document is meant as routing; it carries no apiVersion, as Alertmanager's doesn't."""
    return isinstance(document.value, dict) and "apiVersion" not in document.value and "receivers" in document.value


def read_alerting(document: Document) -> Alerting:
    """Routing of one document.

    Raises:
        ConfigError: unknown key, unknown receiver, duplicate receiver; all of them at once.
    """
    try:
        alerting = Alerting.model_validate(plain(document.value))
    except ValidationError as error:
        raise ConfigError(list(map(_sendable, problems_of(error, document, Alerting)))) from None
    names = [r.name for r in alerting.receivers]
    problems = [*_twice(document, "receiver", names), *_twice(document, "hook", [h.name for h in alerting.hooks])]
    for i, hook in enumerate(alerting.hooks):
        if hook.secret_file is not None and not hook.secret_file.is_file():
            problems.append(document.problem(f"there is no file {hook.secret_file}", ("hooks", i, "secret_file")))
    if alerting.route.receiver not in names:
        known = ", ".join(names)
        said = f"route names receiver '{alerting.route.receiver}'; known: {known}"
        problems.append(document.problem(said, ("route", "receiver")))
    if problems:
        raise ConfigError(problems)
    return alerting
