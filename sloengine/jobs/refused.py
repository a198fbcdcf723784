"""A target that refuses for good is an alert itself: what it was to be told must reach somebody another way."""

from __future__ import annotations

from datetime import datetime, timedelta

from sloengine.alert.given import Given
from sloengine.jobs.accept import accept
from sloengine.jobs.deps import Deps

ALERT = "NotificationRefused"
RUNBOOK = "docs/runbooks/notification-refused.md"
LASTS = timedelta(days=1)
"""It ends when the target takes something again, or then, if nothing more is sent there."""


def raise_refused(engine: Deps, target: str, why: str, now: datetime) -> None:
    """Raise it. Routed to the very target that refuses it is refused too, and stays the same one alert: nothing goes round."""
    engine.refusing.add(target)
    annotations = {
        "summary": f"Notifications to {target} are refused",
        "description": f"The last one was refused for good: {why[:500]}. What it told nobody has heard there.",
        "runbook": RUNBOOK,
        "console": engine.settings.public_url,
    }
    accept(engine, [Given(_labels(engine, target), annotations, now, now + LASTS)], now)


def end_refused(engine: Deps, target: str, now: datetime) -> None:
    """The target has taken something."""
    if target in engine.refusing:
        engine.refusing.discard(target)
        accept(engine, [Given(_labels(engine, target), {}, now, now)], now)


def _labels(engine: Deps, target: str) -> dict[str, str]:
    receiver = target.split("/", 1)[0]
    named = {"cluster": engine.settings.cluster, "receiver": receiver, "target": target}
    return {"alertname": ALERT, "severity": "page", **named}
