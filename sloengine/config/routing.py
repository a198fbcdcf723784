"""``alerting.yaml``: Alertmanager's vocabulary, as much of it as is acted on; every other key is refused by name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, HttpUrl, ValidationError

from sloengine.config.documents import Strict
from sloengine.config.yamlfile import Document, plain, problems_of, read_documents
from sloengine.errors import ConfigError, Problem

_OTHERS = re.compile(r"unknown key '([^']*\b[a-z0-9]+_configs)'")


class WebhookConfig(Strict):
    url: HttpUrl = Field(repr=False)
    send_resolved: bool = True


class Receiver(Strict):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    webhook_configs: list[WebhookConfig] = Field(default_factory=list)


class Route(Strict):
    receiver: str


class Alerting(Strict):
    route: Route
    receivers: list[Receiver] = Field(min_length=1)

    def targets(self) -> dict[str, WebhookConfig]:
        """Targets of the one route by stable name: ``receiver/index``."""
        receiver = next(r for r in self.receivers if r.name == self.route.receiver)
        return {f"{receiver.name}/{i}": config for i, config in enumerate(receiver.webhook_configs)}


def _sendable(problem: Problem) -> Problem:
    """Alertmanager's other ways to send are no typing mistakes, and a nearest key would not help."""
    found = _OTHERS.match(problem.message)
    return replace(problem, message=f"{found[1]}: only webhook_configs is supported so far") if found else problem


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
    problems = [
        document.problem(f"receiver '{name}' is defined twice", ("receivers", i, "name"))
        for i, name in enumerate(names)
        if name in names[:i]
    ]
    if alerting.route.receiver not in names:
        known = ", ".join(names)
        said = f"route names receiver '{alerting.route.receiver}'; known: {known}"
        problems.append(document.problem(said, ("route", "receiver")))
    if problems:
        raise ConfigError(problems)
    return alerting
