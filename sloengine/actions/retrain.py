"""What the retrain hook is told of a drift, and what telemetry is handed on with it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sloengine.monitor import Cause

ACTION = "retrain"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class Call:
    """One confirmed drift."""

    dedup_key: str
    monitor: str
    service: str
    metric: str
    cause: Cause
    span: tuple[datetime, datetime]
    """From where it began to be away from normal to the end of the look that confirmed it."""
    index: str
    effect: float
    events: float
    reason: str
    runbook: str
    console: str


def body(call: Call) -> dict[str, Any]:
    """The JSON that is sent; ``export`` is put beside when it is made."""
    cause, (lo, hi) = call.cause, call.span
    return {
        "version": VERSION,
        "action": ACTION,
        "dedup_key": call.dedup_key,
        "monitor": call.monitor,
        "service": call.service,
        "metric": call.metric,
        "model": cause.model,
        "versions": list(cause.versions),
        "region": cause.region,
        "device": cause.device,
        "segments": dict(cause.segments),
        "from": lo.isoformat(),
        "to": hi.isoformat(),
        "index": call.index,
        "effect": call.effect,
        "events": call.events,
        "reason": call.reason,
        "runbook": call.runbook,
        "console": call.console,
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body that was queued asks to be handed on."""

    monitor: str
    cause: Cause
    span: tuple[datetime, datetime]


def read(text: str) -> tuple[dict[str, Any], Asked]:
    """A queued body again."""
    found: dict[str, Any] = json.loads(text)
    cause = Cause(
        found["model"], tuple(found["versions"]), found["region"], found["device"], tuple(found["segments"].items())
    )
    span = (datetime.fromisoformat(found["from"]), datetime.fromisoformat(found["to"]))
    return found, Asked(found["monitor"], cause, span)


def with_export(found: Mapping[str, Any], folder: str, manifest: Mapping[str, Any]) -> bytes:
    """The body with where its telemetry lies."""
    export = {"folder": folder, "files": manifest["files"]}
    return json.dumps({**found, "export": export}, sort_keys=True).encode()
