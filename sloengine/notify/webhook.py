"""Generic webhook: Alertmanager's payload version 4, plus an ``Idempotency-Key`` that receivers can deduplicate by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import httpx

from sloengine.alert.notification import Notification, Told
from sloengine.errors import DeliveryError

NEVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes as the end of an alert that still fires."""
RETRY_AFTER_MAX_S = 3600.0
"""A receiver that asks for more would silence a page for good."""


def build_payload(notification: Notification) -> str:
    """As Alertmanager would send it."""
    return json.dumps(
        {
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": notification.truncated,
            "status": notification.status,
            "receiver": notification.receiver,
            "groupLabels": dict(notification.group_labels),
            "commonLabels": notification.common_labels,
            "commonAnnotations": notification.common_annotations,
            "externalURL": notification.external_url,
            "alerts": [_alert(told, notification.external_url) for told in notification.alerts],
        }
    )


def _alert(told: Told, external_url: str) -> dict[str, object]:
    return {
        "status": told.status,
        "labels": dict(told.labels),
        "annotations": dict(told.annotations),
        "startsAt": told.started_at.isoformat(),
        "endsAt": told.ended_at.isoformat() if told.ended_at else NEVER,
        "generatorURL": told.annotations.get("console", external_url),
        "fingerprint": told.dedup_key,
    }


def send(client: httpx.Client, url: str, payload: str, idempotency_key: str) -> None:
    """Deliver once.

    Raises:
        DeliveryError: retryable on network trouble, 408, 429 and 5xx; final on any other refusal.
    """
    post(client, url, payload, {"Content-Type": "application/json", "Idempotency-Key": idempotency_key})


def post(client: httpx.Client, url: str, body: str | bytes, headers: Mapping[str, str]) -> None:
    """One request.

    Raises:
        DeliveryError: as :func:`send` does.
    """
    try:
        answer = client.post(url, content=body, headers=headers)
    except httpx.InvalidURL as error:
        raise DeliveryError(f"not an address: {error}", retryable=False) from error
    except httpx.HTTPError as error:
        raise DeliveryError(f"{type(error).__name__}: {error}", retryable=True) from error
    if answer.is_success:
        return
    retryable = answer.status_code in (408, 429) or answer.status_code >= 500
    raise DeliveryError(
        f"HTTP {answer.status_code}: {answer.text[:200]}",
        retryable=retryable,
        retry_after_s=_retry_after(answer),
    )


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_MAX_S) if re.fullmatch("[0-9]+", text) else None
