"""Generic webhook: Alertmanager's payload version 4, an ``Idempotency-Key`` that receivers can deduplicate by, a signature."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import BeforeValidator, Field, HttpUrl, Secret, SecretStr

from sloengine.alert.notification import Notification, Told
from sloengine.errors import DeliveryError
from sloengine.notify.http import JSON, KEY, Request, authorization, post, secrets_of
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import HttpConfig, TargetConfig
from sloengine.notify.text import alerts_within, console_of
from sloengine.signing import key_of, signed_headers
from sloengine.times import parse_duration

NEVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes as the end of an alert that still fires."""
POLICY = Policy(
    rate_per_s=20.0,
    burst=50,
    backoff_first_s=2.0,
    backoff_factor=2.0,
    backoff_most_s=300.0,
    timeout_s=10.0,
    throttled_s=10.0,
)
TIMEOUT_MAX_S = 60.0


def _seconds(value: object) -> object:
    """Alertmanager writes ``10s``, and ``0s`` for none of its own."""
    if value in ("0s", "0", 0):
        return None
    return parse_duration(value).total_seconds() if isinstance(value, str) else value


class WebhookConfig(TargetConfig):
    SECRETS = ("url", "secret")
    NEEDED = ("url",)
    PLAIN = ("url",)
    url: Secret[HttpUrl] | None = None
    url_file: Path | None = None
    url_env: str | None = None
    secret: SecretStr | None = None
    """Requests are signed with it, as the Standard Webhooks specification says."""
    secret_file: Path | None = None
    secret_env: str | None = None
    max_alerts: int = Field(default=0, ge=0)
    """0: all of them."""
    timeout: Annotated[Annotated[float, Field(gt=0, le=TIMEOUT_MAX_S)] | None, BeforeValidator(_seconds)] = None
    http_config: HttpConfig | None = None


def messages(notification: Notification, config: WebhookConfig) -> list[Message]:
    told = config.told(notification)
    if told is None:
        return []
    body = build_payload(told, config.max_alerts)
    return [Message("post", "", body, order_key=notification.group_key, incident=notification.dedup_key)]


def send(client: httpx.Client, config: WebhookConfig, message: Message, idempotency_key: str, at: datetime) -> None:
    """Deliver once.

    Raises:
        DeliveryError: retryable on network trouble, 408, 429 and 5xx; final on any other refusal.
    """
    url, secret = config.read_secret("url"), config.read_secret("secret")
    body = message.body.encode()
    signed = signed_headers(_key_of(secret), idempotency_key, str(int(at.timestamp())), body) if secret else {}
    headers = {**JSON, KEY: idempotency_key, **signed, **authorization(config.http_config)}
    timeout_s = config.timeout or POLICY.timeout_s
    post(client, Request(url, body, headers, timeout_s, POLICY.throttled_s, (secret, *secrets_of(url))))


def _key_of(secret: str) -> bytes:
    try:
        return key_of(secret)
    except ValueError as error:
        raise DeliveryError(f"secret: {error}", retryable=True) from None


def build_payload(notification: Notification, max_alerts: int = 0) -> str:
    """The notification as Alertmanager would send it; of more than ``max_alerts`` (0: no limit) the worst."""
    alerts = alerts_within(notification.alerts, max_alerts or len(notification.alerts))
    return json.dumps(
        {
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": notification.truncated + len(notification.alerts) - len(alerts),
            "status": notification.status,
            "receiver": notification.receiver,
            "groupLabels": dict(notification.group_labels),
            "commonLabels": notification.common_labels,
            "commonAnnotations": notification.common_annotations,
            "externalURL": notification.external_url,
            "alerts": [_alert(alert, notification.external_url) for alert in alerts],
        }
    )


def _alert(alert: Told, external_url: str) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": alert.started_at.isoformat(),
        "endsAt": alert.ended_at.isoformat() if alert.ended_at else NEVER,
        "generatorURL": console_of(alert, external_url),
        "fingerprint": alert.dedup_key,
    }
