"""``receivers`` of the routing: who is told, and by which ways. A way that is a field here is acted on; Alertmanager's others are
named as unsupported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, HttpUrl

from sloengine.config.documents import Strict
from sloengine.notify.alertmanager import AlertmanagerConfig
from sloengine.notify.email import EmailConfig
from sloengine.notify.opsgenie import OpsgenieConfig
from sloengine.notify.pagerduty import PagerDutyConfig
from sloengine.notify.settings import TargetConfig
from sloengine.notify.slack import SlackConfig
from sloengine.notify.targets import TARGETS, Target
from sloengine.notify.webhook import WebhookConfig

_given = BeforeValidator(lambda value: [] if value is None else value)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tell a receiver."""

    key: str
    config: TargetConfig

    @property
    def target(self) -> Target:
        return TARGETS[self.key]


class Receiver(Strict):
    """A field ``…_configs`` for each way to send: what is added here is supported everywhere."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    pagerduty_configs: Annotated[list[PagerDutyConfig], _given] = Field(default=[])
    opsgenie_configs: Annotated[list[OpsgenieConfig], _given] = Field(default=[])
    alertmanager_configs: Annotated[list[AlertmanagerConfig], _given] = Field(default=[])
    slack_configs: Annotated[list[SlackConfig], _given] = Field(default=[])
    webhook_configs: Annotated[list[WebhookConfig], _given] = Field(default=[])
    email_configs: Annotated[list[EmailConfig], _given] = Field(default=[])

    def ways(self) -> Iterator[tuple[str, Way]]:
        """Every way by stable name: ``receiver/pagerduty/0``."""
        for key in ways_of():
            for i, config in enumerate(getattr(self, key)):
                yield f"{self.name}/{key.removesuffix('_configs')}/{i}", Way(key, config)


class Hook(Strict):
    """Who is asked to do something: no key of Alertmanager's."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    url: HttpUrl = Field(repr=False)
    secret_file: Path | None = None
    """Calls are signed with what it holds."""


def ways_of(receiver: type[Receiver] = Receiver) -> tuple[str, ...]:
    """Keys of the ways to send that are acted on."""
    return tuple(name for name in receiver.model_fields if name.endswith("_configs"))
