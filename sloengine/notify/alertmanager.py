"""A Prometheus Alertmanager, API v2, which groups and routes by its own rules. It forgets what it is not told again."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import HttpUrl

from sloengine.alert.notification import Notification, Told
from sloengine.errors import DeliveryError
from sloengine.notify.cutting import clean
from sloengine.notify.http import JSON, KEY, Answer, Request, ask, authorization, joined, refused, retryable_status
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import HttpConfig, TargetConfig
from sloengine.notify.text import console_of
from sloengine.times import utc

PATH = "api/v2/alerts"
BATCH_MAX = 64
"""Alerts in a request, as Prometheus sends them."""
RESEND_S = 60.0
AHEAD = timedelta(seconds=4 * RESEND_S)
"""The end that a firing alert is sent with, after the sending: Prometheus allows for so many lost sendings. Without one it would
end after Alertmanager's own ``resolve_timeout``, which is for senders that say nothing."""
REFUSED_SHOWN = 5
ALONE_WAITS = 2
"""After so many timeouts no further alert is sent alone: the claim on the message would run out."""
POLICY = Policy(
    rate_per_s=50.0,
    burst=100,
    backoff_first_s=1.0,
    backoff_factor=2.0,
    backoff_most_s=60.0,
    timeout_s=10.0,
    throttled_s=10.0,
    resend_s=RESEND_S,
    resolve_resend_s=900.0,
)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class AlertmanagerConfig(TargetConfig):
    """One Alertmanager. Of a cluster each one is told, as Prometheus does: they make one of what comes to several."""

    url: HttpUrl
    """Without ``/api/v2``."""
    http_config: HttpConfig | None = None


def messages(notification: Notification, config: AlertmanagerConfig) -> list[Message]:
    """In one order for a group, whatever its incident: to Alertmanager the labels are the alert, and an old resolve would end a
    new one."""
    told = config.told(notification)
    alerts = [_alert(alert, notification.external_url) for alert in told.alerts] if told else []
    return [
        Message("post", PATH, json.dumps(batch), order_key=notification.group_key, incident=notification.dedup_key)
        for batch in (alerts[i : i + BATCH_MAX] for i in range(0, len(alerts), BATCH_MAX))
    ]


def send(
    client: httpx.Client, config: AlertmanagerConfig, message: Message, idempotency_key: str, at: datetime
) -> None:
    """Deliver once; what fires is told to end a while after ``at``, unless it is sent again by then.

    A refusal (400) is of some alerts, and does not say of which: each is then sent alone, so that the others are surely there.

    Raises:
        DeliveryError: retryable on network trouble, 429 and 5xx; final if an alert is refused.
    """
    alerts = [{"endsAt": (at + AHEAD).isoformat(), **alert} for alert in json.loads(message.body)]
    headers = {**JSON, KEY: idempotency_key, **authorization(config.http_config)}
    request = Request(joined(str(config.url), message.address), b"", headers, POLICY.timeout_s, POLICY.throttled_s)
    if (refusal := _post(client, request, alerts)) is None:
        return
    if len(alerts) == 1:
        raise refused(refusal, request, retryable=False)
    if alone := list(_refused_alone(client, request, alerts)):
        raise refused(alone[0][1], request, retryable=False, why=_refusals(alone, len(alerts)))


def _refused_alone(
    client: httpx.Client, request: Request, alerts: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], Answer]]:
    until = time.monotonic() + ALONE_WAITS * POLICY.timeout_s
    for sent, alert in enumerate(alerts):
        if time.monotonic() > until:
            raise DeliveryError(f"only {sent} of {len(alerts)} alerts could be sent alone in time", retryable=True)
        answer = _post(client, request, [alert])
        if answer is not None:
            yield alert, answer


def _post(client: httpx.Client, request: Request, alerts: Sequence[Mapping[str, Any]]) -> Answer | None:
    """The answer if it refuses what is sent, None if all of it was taken."""
    sent = replace(request, body=json.dumps(alerts).encode())
    answer = ask(client, sent)
    if answer.ok:
        return None
    if answer.status == 400:
        return answer
    raise refused(answer, sent, retryable=retryable_status(answer))


def _refusals(refused_alone: Sequence[tuple[Mapping[str, Any], Answer]], of: int) -> str:
    names = [str(alert["labels"].get("alertname", "?")) for alert, _ in refused_alone[:REFUSED_SHOWN]]
    return (
        f"{len(refused_alone)} of {of} alerts are refused ({', '.join(names)}), the first: {refused_alone[0][1].text}"
    )


def _alert(alert: Told, external_url: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "labels": _labels(alert.labels),
        "annotations": _labels(alert.annotations),
        "startsAt": utc(alert.started_at).isoformat(),
    }
    if alert.ended_at is not None:
        shown["endsAt"] = utc(alert.ended_at).isoformat()
    console = console_of(alert, external_url)
    return shown | ({"generatorURL": console} if console else {})


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """With names as Alertmanager before 0.27 takes them, which refuses an alert for a dot in one."""
    named: dict[str, str] = {}
    for name, value in labels.items():
        if value:
            named[_name(name, taken=labels)] = clean(value)
    return named


def _name(name: str, taken: Mapping[str, str]) -> str:
    if _LABEL.fullmatch(name):
        return name
    changed = re.sub("[^a-zA-Z0-9_]", "_", name)
    changed = changed if _LABEL.fullmatch(changed) else f"_{changed}"
    others = {re.sub("[^a-zA-Z0-9_]", "_", other) for other in taken if other != name}
    # Two labels that become one would be one alert where there are two.
    return (
        f"{changed}_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        if changed in others
        else changed
    )
