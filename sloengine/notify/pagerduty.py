"""PagerDuty, Events API v2: one PagerDuty alert for each incident of a group, by its dedup key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import Field, HttpUrl, SecretStr

from sloengine.alert.notification import FIRING, Notification, Told
from sloengine.notify.cutting import clean, cut, fit_key, fit_map, line
from sloengine.notify.http import JSON, KEY, Request, authorization, post
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import TEXTS, HttpConfig, TargetConfig
from sloengine.notify.text import Text, first_link, listing, severity_rank, text_of, worst_first

DEDUP_KEY_MAX, SUMMARY_MAX = 255, 1024
BODY_MAX_BYTES = 500_000
"""512 KB are allowed; what is added when it is sent, and a KB of a thousand bytes, are within it."""
FIELD_MAX = 255
"""Of source, component, group and class: PagerDuty names no limit, and shows them in a column."""
LISTED_MAX = 8_000
"""Of the list of alerts that people read; rules read the alerts themselves."""
LABELS_MAX, KEY_MAX, VALUE_MAX = 16_000, 500, 4_000
POLICY = Policy(
    rate_per_s=2.0,
    burst=10,
    backoff_first_s=10.0,
    backoff_factor=3.0,
    backoff_most_s=600.0,
    timeout_s=10.0,
    throttled_s=120.0,
)
_SEVERITIES = ("critical", "error", "warning", "info")


class PagerDutyConfig(TargetConfig):
    SECRETS = NEEDED = ("routing_key",)
    IGNORED: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("description", "details", "severity", "source", "client_url"), TEXTS),
        **dict.fromkeys(("service_key", "service_key_file"), "Events API v1 is not spoken: make an integration of v2"),
        "images": "alerts have none",
        "links": "they are the alert's own: runbook, dashboard, console",
    }
    routing_key: SecretStr | None = None
    routing_key_file: Path | None = None
    routing_key_env: str | None = None
    url: HttpUrl = HttpUrl("https://events.pagerduty.com/v2/enqueue")
    client: str = Field(default="sloengine", max_length=FIELD_MAX)
    component: str = Field(default="", max_length=FIELD_MAX)
    group: str = Field(default="", max_length=FIELD_MAX)
    class_: str = Field(default="", alias="class", max_length=FIELD_MAX)
    http_config: HttpConfig | None = None


def messages(notification: Notification, config: PagerDutyConfig) -> list[Message]:
    told = config.told(notification)
    if told is None:
        return []
    if told.status != FIRING:
        return [_message("resolve", notification.dedup_key, {})]
    return [_message("trigger", notification.dedup_key, _event(told, config))]


def acknowledgement(dedup_key: str, config: PagerDutyConfig) -> Message:
    """Of an incident that somebody has taken on here."""
    return _message("acknowledge", dedup_key, {})


def send(client: httpx.Client, config: PagerDutyConfig, message: Message, idempotency_key: str, at: datetime) -> None:
    """Deliver once; what is sent again updates the same alert.

    Raises:
        DeliveryError: retryable on network trouble, 429 and 5xx; final on any other refusal.
    """
    key = config.read_secret("routing_key")
    post(
        client,
        Request(
            str(config.url),
            json.dumps({"routing_key": key, **json.loads(message.body)}).encode(),
            {**JSON, KEY: idempotency_key, **authorization(config.http_config)},
            POLICY.timeout_s,
            POLICY.throttled_s,
            (key,),
        ),
    )


def _message(action: str, dedup_key: str, event: dict[str, Any]) -> Message:
    key = fit_key(dedup_key, DEDUP_KEY_MAX)
    body = json.dumps({"event_action": action, "dedup_key": key, **event})
    return Message(action, "", body, order_key=key, incident=dedup_key)


def _event(notification: Notification, config: PagerDutyConfig) -> dict[str, Any]:
    text, head = text_of(notification), worst_first(notification.firing)[0]
    labels = head.labels
    payload = {
        "summary": cut(text.title, SUMMARY_MAX),
        "source": _field(
            labels.get("device") or labels.get("gateway") or labels.get("service") or labels.get("cluster")
        )
        or "sloengine",
        "severity": _SEVERITIES[severity_rank(head)],
        "timestamp": min(alert.started_at for alert in notification.firing).isoformat(),
        "component": config.component or _field(labels.get("model")),
        "group": config.group or _field(labels.get("rollout") or labels.get("region")),
        "class": config.class_ or _field(labels.get("alertname")),
    }
    event: dict[str, Any] = {
        "client": config.client,
        "client_url": first_link(text, "Console", "Dashboard"),
        "links": [{"href": address, "text": name} for name, address in text.links],
        "payload": {key: value for key, value in payload.items() if value},
    }
    event["payload"]["custom_details"] = _details(notification, text, BODY_MAX_BYTES - _size(event))
    return event


def _field(value: str | None) -> str:
    return cut(line(value or ""), FIELD_MAX)


def _size(value: object) -> int:
    """Bytes of it in a body: JSON as it is written here is ASCII."""
    return len(json.dumps(value))


def _details(notification: Notification, text: Text, room: int) -> dict[str, Any]:
    details: dict[str, Any] = dict(text.facts)
    details["labels"] = fit_map(notification.common_labels, LABELS_MAX, KEY_MAX, VALUE_MAX)
    if text.alerts:
        details["listed"] = listing(text, LISTED_MAX)
    alerts = _whole(worst_first(notification.alerts), room - _size(details) - _size({"alerts_left_out": 10**9}))
    left_out = len(notification.alerts) - len(alerts) + notification.truncated
    return details | {"alerts": alerts} | ({"alerts_left_out": left_out} if left_out else {})


def _whole(alerts: Sequence[Told], room: int) -> list[dict[str, Any]]:
    """Alerts as they are, from the first on, as many as fit."""
    kept: list[dict[str, Any]] = []
    for alert in alerts:
        shown = {
            "status": alert.status,
            "dedup_key": clean(alert.dedup_key),
            "startsAt": alert.started_at.isoformat(),
            "labels": fit_map(alert.labels, LABELS_MAX, KEY_MAX, VALUE_MAX),
            "annotations": fit_map(alert.annotations, 4 * LABELS_MAX, KEY_MAX, VALUE_MAX),
        }
        room -= _size(shown) + len(", ")
        if room < 0:
            break
        kept.append(shown)
    return kept
