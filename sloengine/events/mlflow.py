"""MLflow's registry webhooks: whether a delivery is MLflow's, and which baselines it hands in. Pure.

Source: MLflow's documentation of webhooks. A body is ``{"entity", "action", "timestamp", "data"}``; headers are the delivery's
id, its Unix time and ``v1,<base64 of HMAC-SHA256 over "id.time.body">``. A delivery that failed is sent again as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sloengine.signing import is_signed

TOLERANCE = timedelta(minutes=5)
"""A delivery that says that it is older, or comes from so far ahead, may be one that somebody has recorded."""
TAG = "sloengine.baseline."
"""Of a model version, before a monitor's name: its value is the histogram of the version's validation set."""


class UntrustedError(Exception):
    """A delivery that can't be told to be MLflow's, in words."""


class BadEventError(ValueError):
    """A body that is no event."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request."""

    identity: str
    stamp: str
    """Seconds since 1970."""
    signature: str
    body: bytes


@dataclass(frozen=True, slots=True)
class BaselineGiven:
    """A registry's word on what is normal for a version of a model."""

    monitor: str
    model: str
    version: str
    text: str
    """JSON of a histogram."""


def check(delivery: Delivery, secret: str, now: datetime) -> None:
    """
    Raises:
        UntrustedError: it is not signed with the secret, or not of now.
    """
    # MLflow takes a secret as it is, whatever it begins with.
    key = secret.encode()
    if not delivery.identity or not is_signed(
        delivery.signature, key, delivery.identity, delivery.stamp, delivery.body
    ):
        raise UntrustedError("its X-MLflow-Signature is not that of the secret that this engine knows")
    # Signed, so that it is digits; yet a sender's clock may be anything.
    if not delivery.stamp.isdecimal() or abs(now.timestamp() - int(delivery.stamp)) > TOLERANCE.total_seconds():
        minutes = TOLERANCE.total_seconds() / 60
        raise UntrustedError(
            f"its X-MLflow-Timestamp is more than {minutes:.0f} minutes away: a recorded delivery, or a clock is off"
        )


def baselines_of(body: bytes) -> list[BaselineGiven]:
    """Baselines in an event; none of most.

    Raises:
        BadEventError: it is no event of MLflow's.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise BadEventError("the body is not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        raise BadEventError('expected {"entity": …, "action": …, "data": {…}}')
    return list(_given(f"{event.get('entity')}.{event.get('action')}", event["data"]))


def _given(event: str, data: Mapping[str, Any]) -> Iterator[BaselineGiven]:
    tags: Any = {}
    if event == "model_version_tag.set":
        tags = {data.get("key"): data.get("value")}
    elif event == "model_version.created":
        tags = data.get("tags")
    for key, value in tags.items() if isinstance(tags, dict) else ():
        if isinstance(key, str) and key.startswith(TAG) and key != TAG:
            names = (data.get("name"), data.get("version"))
            if not all(isinstance(name, str) and name for name in names) or not isinstance(value, str):
                raise BadEventError(f"{event} has no name, version and value that are texts")
            yield BaselineGiven(key.removeprefix(TAG), str(names[0]), str(names[1]), value)
