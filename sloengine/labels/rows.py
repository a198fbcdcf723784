"""Labels as log rows, the same events that a device sends: one raw place, one way in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sloengine.labels.items import Label

TABLE = "otel_logs"
GATEWAY = "labels-api"
COLUMNS = [
    "Timestamp",
    "SeverityText",
    "SeverityNumber",
    "ServiceName",
    "ResourceAttributes",
    "ScopeName",
    "LogAttributes",
    "EventName",
]
EVENT = "edge.label"
GIVEN = "edge.label.given_unix_nano"
RAW_KEPT = timedelta(days=39)
"""A day less than raw logs are kept: an older time would be thrown away at the door."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows(labels: Iterable[Label], now: datetime) -> list[list[object]]:
    """Rows of ``otel_logs`` in the order of ``COLUMNS``, as received now."""
    return [_row(label, now) for label in labels]


def _row(label: Label, now: datetime) -> list[object]:
    resource = {"edge.gateway.id": GATEWAY, "edge.gateway.received_unix_nano": str(_unix_nano(now))}
    attributes = {
        "event.name": EVENT,
        "edge.prediction.id": label.prediction_id,
        "edge.label.truth": label.truth,
    }
    if label.source:
        attributes["edge.label.source"] = label.source
    if label.service:
        resource["service.name"] = label.service
    at = label.at
    if at < now - RAW_KEPT:
        attributes[GIVEN] = str(_unix_nano(at))
        at = now
    return [_unix_nano(at), "INFO", 9, label.service, resource, "sloengine.labels", attributes, EVENT]


def _unix_nano(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
