"""Opsgenie, Alert API v2: one Opsgenie alert for each incident of a group, by its alias. Its vendor ends it in April 2027."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote

import httpx
from pydantic import Field, HttpUrl, SecretStr, model_validator

from sloengine.alert.notification import FIRING, Notification
from sloengine.config.documents import Strict
from sloengine.notify.cutting import cut, fit_key, fit_map, line, units
from sloengine.notify.http import JSON, KEY, Request, authorization, joined, post
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import TEMPLATE, TEXTS, HttpConfig, TargetConfig
from sloengine.notify.text import plain, severity_rank, text_of, worst_first

MESSAGE_MAX, ALIAS_MAX, DESCRIPTION_MAX = 130, 250, 15_000
TAGS_MAX, TAG_MAX = 20, 50
DETAILS_MAX, ENTITY_MAX, SOURCE_MAX = 8_000, 512, 100
RESPONDERS_MAX = 50
POLICY = Policy(
    rate_per_s=5.0,
    burst=10,
    backoff_first_s=10.0,
    backoff_factor=2.0,
    backoff_most_s=300.0,
    timeout_s=10.0,
    throttled_s=60.0,
)
_PRIORITIES = ("P1", "P2", "P3", "P4")
_TAGGED = ("severity", "alertname", "service", "model", "version", "region", "rollout", "cluster")
Priority = Literal["P1", "P2", "P3", "P4", "P5"]


class Responder(Strict):
    type: Literal["team", "user", "escalation", "schedule"]
    id: str | None = Field(default=None, min_length=1)
    name: str | None = Field(default=None, min_length=1)
    username: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.id is None and self.name is None and self.username is None:
            raise ValueError("one of id, name, username is needed")
        if any(TEMPLATE in (name or "") for name in (self.id, self.name, self.username)):
            raise ValueError(TEXTS)
        return self


class OpsgenieConfig(TargetConfig):
    SECRETS = NEEDED = ("api_key",)
    IGNORED: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("message", "description", "details", "note", "actions"), TEXTS),
        "update_alerts": "what an alert says stays as it was when it was created",
    }
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    api_key_env: str | None = None
    api_url: HttpUrl = HttpUrl("https://api.opsgenie.com/")
    source: str = Field(default="sloengine", max_length=SOURCE_MAX)
    entity: str = Field(default="", max_length=ENTITY_MAX)
    responders: list[Responder] = Field(default=[], max_length=RESPONDERS_MAX)
    tags: str = ""
    """Beside those of labels; apart by commas, as in Alertmanager."""
    priority: Priority | None = None
    """None: by severity."""
    http_config: HttpConfig | None = None


def messages(notification: Notification, config: OpsgenieConfig) -> list[Message]:
    told = config.told(notification)
    if told is None:
        return []
    if told.status != FIRING:
        return [_about("close", notification.dedup_key, config)]
    alias = fit_key(notification.dedup_key, ALIAS_MAX)
    return [_message("create", "v2/alerts", alias, notification.dedup_key, _alert(told, config) | {"alias": alias})]


def acknowledgement(dedup_key: str, config: OpsgenieConfig) -> Message:
    """Of an incident that somebody has taken on here."""
    return _about("acknowledge", dedup_key, config)


def send(client: httpx.Client, config: OpsgenieConfig, message: Message, idempotency_key: str, at: datetime) -> None:
    """Deliver once. Opsgenie works on it later (202); the same alias is the same alert.

    Raises:
        DeliveryError: retryable on network trouble, 429 and 5xx; final on any other refusal.
    """
    key = config.read_secret("api_key")
    headers = {**JSON, **authorization(config.http_config), "Authorization": f"GenieKey {key}"}
    post(
        client,
        Request(
            joined(str(config.api_url), message.address),
            message.body.encode(),
            headers | {KEY: idempotency_key},
            POLICY.timeout_s,
            POLICY.throttled_s,
            (key,),
        ),
    )


def _message(action: str, address: str, alias: str, incident: str, body: dict[str, Any]) -> Message:
    return Message(action, address, json.dumps(body), order_key=alias, incident=incident)


def _about(action: str, dedup_key: str, config: OpsgenieConfig) -> Message:
    """What is done with an alert that is there already."""
    alias = fit_key(dedup_key, ALIAS_MAX)
    address = f"v2/alerts/{quote(alias, safe='')}/{action}?identifierType=alias"
    return _message(action, address, alias, dedup_key, {"source": config.source})


def _alert(notification: Notification, config: OpsgenieConfig) -> dict[str, Any]:
    text, head = text_of(notification), worst_first(notification.firing)[0]
    alert = {
        "message": cut(text.title, MESSAGE_MAX),
        "description": plain(text, DESCRIPTION_MAX),
        "priority": config.priority or _PRIORITIES[severity_rank(head)],
        "source": config.source,
        "entity": config.entity or cut(line(head.labels.get("model", "")), ENTITY_MAX),
        "tags": _tags(notification, config),
        "details": fit_map(notification.common_labels, DETAILS_MAX, DETAILS_MAX, DETAILS_MAX),
        "responders": [responder.model_dump(exclude_none=True) for responder in config.responders],
    }
    return {key: value for key, value in alert.items() if value}


def _tags(notification: Notification, config: OpsgenieConfig) -> list[str]:
    """Whole ones only: a tag cut short is another tag."""
    labels = notification.common_labels
    wanted = [tag.strip() for tag in config.tags.split(",")]
    wanted += [f"{name}:{line(labels[name])}" for name in _TAGGED if labels.get(name)]
    return [tag for tag in dict.fromkeys(wanted) if tag and units(tag) <= TAG_MAX][:TAGS_MAX]
