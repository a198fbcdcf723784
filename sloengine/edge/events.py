"""Events about a model, as OTLP log records with a JSON body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Lock
from time import monotonic, time_ns
from typing import Any, cast

from opentelemetry._logs import Logger, LogRecord, SeverityNumber

from . import contract
from .contract import DropReason
from .ledger import Ledger

Details = Mapping[str, str | int | float]


class Events:
    """Emits one model's events: bursts of 10 per event name, then one a second; what is held back is counted."""

    def __init__(self, logger: Logger, ledger: Ledger, attributes: Mapping[str, str]) -> None:
        self._logger = logger
        self._ledger = ledger
        self._attributes = attributes
        self._allowances: dict[str, Allowance] = {}

    def emit(self, name: str, severity: SeverityNumber, details: Details) -> None:
        if not self._allowances.setdefault(name, Allowance()).take(monotonic()):
            self._ledger.drop(DropReason.RATE_LIMITED)
            return
        facts = {"event.name": name, **self._attributes, **details}
        now_ns = time_ns()
        self._logger.emit(
            LogRecord(
                timestamp=now_ns,
                observed_timestamp=now_ns,
                severity_number=severity,
                severity_text=severity.name,
                body=json.dumps(facts),
                attributes=cast("dict[str, Any]", facts),
                event_name=name,
            )
        )


class Allowance:
    """A token bucket: `EVENTS_BURST` at once, `EVENTS_PER_S` in the long run."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._left = float(contract.EVENTS_BURST)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether one more may pass at `now_s`, a monotonic time in seconds."""
        with self._lock:
            since_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
            self._at_s = now_s
            self._left = min(contract.EVENTS_BURST, self._left + since_s * contract.EVENTS_PER_S)
            if self._left < 1:
                return False
            self._left -= 1
            return True
