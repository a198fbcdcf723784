"""``receivers`` of the routing: who is told, and by which ways. A way that is a field here is acted on; Alertmanager's others are
named as unsupported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, HttpUrl

from sloengine.config.documents import Strict


class WebhookConfig(Strict):
    url: HttpUrl = Field(repr=False)
    send_resolved: bool = True


class Receiver(Strict):
    """A field ``…_configs`` for each way to send: what is added here is supported everywhere."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    webhook_configs: Annotated[list[WebhookConfig], BeforeValidator(lambda v: [] if v is None else v)] = Field(
        default=[]
    )


class Hook(Strict):
    """Who is asked to do something: no key of Alertmanager's."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    url: HttpUrl = Field(repr=False)
    secret_file: Path | None = None
    """Calls are signed with what it holds."""


def ways_of(receiver: type[Receiver] = Receiver) -> tuple[str, ...]:
    """Keys of the ways to send that are acted on."""
    return tuple(name for name in receiver.model_fields if name.endswith("_configs"))
