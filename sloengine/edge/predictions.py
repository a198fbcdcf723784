"""Prediction records and labels: sampled by a hash of the prediction's id, so that both are kept or neither."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import time_ns
from typing import Any, cast

from opentelemetry._logs import Logger, LogRecord, SeverityNumber

from . import contract
from .contract import DropReason
from .ledger import Ledger
from .sampling import SPACE, th_value, threshold
from .segments import Segments

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2262, 1, 1, tzinfo=UTC)
"""Nanoseconds since 1970 stay below 2^63."""


def hash_value(prediction_id: str) -> int:
    """R in [0, 2^56): the first 7 bytes, big-endian, of the SHA-256 of the id in UTF-8."""
    return int.from_bytes(sha256(prediction_id.encode()).digest()[:7], "big")


class Prediction:
    """What the application said of one prediction; unchecked until it is sent, since most are not."""

    __slots__ = ("id", "label", "segments", "truth")

    def __init__(self, prediction_id: str) -> None:
        self.id = prediction_id
        self.label: object = None
        self.truth: object = None
        self.segments: object = None


class Predictions:
    """Sends one model's prediction records and labels, those whose id the hash keeps: R ≥ T."""

    def __init__(
        self, logger: Logger, ledger: Ledger, attributes: Mapping[str, str], segments: Segments, ratio: float
    ) -> None:
        self._logger = logger
        self._ledger = ledger
        self._attributes = attributes
        self._segments = segments
        self._threshold = threshold(ratio)
        self.on = self._threshold < SPACE

    def keeps(self, prediction_id: str) -> bool:
        return hash_value(prediction_id) >= self._threshold

    def record(self, said: Prediction, score: float | None, segments: Mapping[str, str], at_unix_ns: int) -> None:
        """Send the record of a prediction that `keeps` keeps; its id, and its score with segments, are clean already."""
        found: dict[str, str | float | None] = {
            contract.PREDICTION_ID: said.id,
            contract.SAMPLING_THRESHOLD: th_value(self._threshold),
            contract.SCORE_OF_SPAN: score,
            contract.LABEL: self._ledger.text(said.label),
            contract.PREDICTION_TRUTH: self._ledger.text(said.truth),
            **(segments if said.segments is None else self._segments.attributes(said.segments)),
        }
        self._emit(contract.PREDICTION, found, at_unix_ns)

    def label(self, prediction_id: object, truth: object, source: object, at: object) -> None:
        """Send what the prediction should have been; `at`, an aware time, is now where it is None."""
        id_text, truth_text = self._required(prediction_id), self._required(truth)
        if id_text is None or truth_text is None or not self.keeps(id_text):
            return
        found = {
            contract.PREDICTION_ID: id_text,
            contract.LABEL_TRUTH: truth_text,
            contract.LABEL_SOURCE: self._ledger.text(source) if source != "" else None,
        }
        self._emit(contract.LABELLED, found, self._unix_ns(at))

    def _required(self, value: object) -> str | None:
        if value is None:
            self._ledger.drop(DropReason.ATTRIBUTE_EMPTY)
        return self._ledger.text(value)

    def _emit(self, name: str, found: Mapping[str, str | float | None], at_unix_ns: int) -> None:
        facts = {key: value for key, value in found.items() if value is not None}
        self._logger.emit(
            LogRecord(
                timestamp=at_unix_ns,
                observed_timestamp=time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text=SeverityNumber.INFO.name,
                attributes=cast("dict[str, Any]", {"event.name": name, **self._attributes, **facts}),
                event_name=name,
            )
        )

    def _unix_ns(self, at: object) -> int:
        if isinstance(at, datetime) and at.tzinfo is not None and _EPOCH <= at < _LATEST:
            return (at - _EPOCH) // timedelta(microseconds=1) * 1000
        if at is not None:
            known = isinstance(at, datetime) and at.tzinfo is not None
            self._ledger.drop(DropReason.OUT_OF_RANGE if known else DropReason.WRONG_TYPE)
        return time_ns()
