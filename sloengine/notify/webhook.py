"""Generic webhook: Alertmanager's payload version 4, plus an ``Idempotency-Key`` that receivers can deduplicate by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import httpx

from sloengine.errors import DeliveryError

NEVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes as the end of an alert that still fires."""


def build_payload(
    *,
    receiver: str,
    dedup_key: str,
    status: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    started_at: datetime,
    ended_at: datetime | None,
    external_url: str,
) -> str:
    """One alert as Alertmanager would send it; the group is the episode."""
    alert = {
        "status": status,
        "labels": dict(labels),
        "annotations": dict(annotations),
        "startsAt": started_at.isoformat(),
        "endsAt": ended_at.isoformat() if ended_at else NEVER,
        "generatorURL": annotations.get("console", external_url),
        "fingerprint": dedup_key,
    }
    return json.dumps(
        {
            "version": "4",
            "groupKey": dedup_key,
            "truncatedAlerts": 0,
            "status": status,
            "receiver": receiver,
            "groupLabels": dict(labels),
            "commonLabels": dict(labels),
            "commonAnnotations": dict(annotations),
            "externalURL": external_url,
            "alerts": [alert],
        }
    )


def send(client: httpx.Client, url: str, payload: str, idempotency_key: str) -> None:
    """Deliver once.

    Raises:
        DeliveryError: retryable on network trouble, 408, 429 and 5xx; final on any other refusal.
    """
    headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    try:
        answer = client.post(url, content=payload, headers=headers)
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
    return float(text) if text.isdigit() else None
