"""Generic webhook: Alertmanager's payload version 4, plus an ``Idempotency-Key`` that receivers can deduplicate by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from sloengine.errors import DeliveryError

NEVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes as the end of an alert that still fires."""
RETRY_AFTER_MAX_S = 3600.0
"""A receiver that asks for more would silence a page for good."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert that begins (``ended_at`` None) or ends."""

    receiver: str
    dedup_key: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_at: datetime
    ended_at: datetime | None
    external_url: str

    @property
    def status(self) -> str:
        return "resolved" if self.ended_at else "firing"


def build_payload(notice: Notice) -> str:
    """The notice as Alertmanager would send it; the group is the episode."""
    labels, annotations = dict(notice.labels), dict(notice.annotations)
    alert = {
        "status": notice.status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": notice.started_at.isoformat(),
        "endsAt": notice.ended_at.isoformat() if notice.ended_at else NEVER,
        "generatorURL": annotations.get("console", notice.external_url),
        "fingerprint": notice.dedup_key,
    }
    return json.dumps(
        {
            "version": "4",
            "groupKey": notice.dedup_key,
            "truncatedAlerts": 0,
            "status": notice.status,
            "receiver": notice.receiver,
            "groupLabels": labels,
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": notice.external_url,
            "alerts": [alert],
        }
    )


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
