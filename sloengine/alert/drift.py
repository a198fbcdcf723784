"""What a finding of drift is called, whom it is for, and when its alert ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sloengine.alert.episodes import DRIFT
from sloengine.model import Severity
from sloengine.monitor import Cause, DriftMonitor

ALERT = DRIFT
OVER = ("no_drift", "suspected")
"""Verdicts on the series that a finding names after which it is over; anything else says nothing, or that it goes on."""


class Reason(StrEnum):
    """Why a finding's alert changed. Stored, shown, counted."""

    FOUND = "drift found in enough windows"
    CALM = "no drift any more"
    WIDER = "part of a wider drift"


def severity_of(monitor: DriftMonitor, cause: Cause) -> Severity:
    """Drift is work for a day; of a safety-critical model it can't wait for one."""
    return Severity.PAGE if cause.model in monitor.critical else Severity.TICKET


def labels_of(monitor: DriftMonitor, cause: Cause, cluster: str) -> dict[str, str]:
    """Identity labels: declared names only. Versions that share a cause are one alert, whichever of them show it today."""
    versions = cause.versions if len(cause.versions) == 1 else ()
    named = {
        "version": versions[0] if versions else "",
        "region": cause.region,
        "device": cause.device,
        "segment": ", ".join(f"{name}={value}" for name, value in cause.segments),
    }
    return {
        "alertname": ALERT,
        "severity": severity_of(monitor, cause).value,
        "cluster": cluster,
        "monitor": monitor.name,
        "service": monitor.service,
        "model": cause.model,
        **{name: value for name, value in named.items() if value},
    }


def where(labels: Mapping[str, str]) -> str:
    """The place that labels name, in words."""
    return ", ".join(
        f"{name} {labels[name]}" for name in ("model", "version", "region", "device", "segment") if name in labels
    )
