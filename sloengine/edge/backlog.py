"""What a node could not send: put on disk while nobody answers, sent again, oldest first, beside live telemetry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Protocol

from opentelemetry.sdk.metrics.export import MetricsData

from . import contract
from .contract import DropReason
from .disk import DiskBuffer, Record, Signal
from .ledger import Ledger
from .wire import Encoder, Exporters

_logger = logging.getLogger("sloengine.edge")
_OPEN_EVERY_S = 60.0
_PROBE_EVERY_S = 60.0
_SAY_EVERY_S = 600.0


class Source(Protocol):
    """A queue that gives up what `export` takes."""

    def send(self, export: Callable[[Sequence[Any]], bool]) -> bool: ...


class Backlog:
    """A node's disk buffer, or, without a folder or while the disk fails, nothing: then everything stays in memory.

    A disk that fails is tried again; it is said, and counted, once in ten minutes.
    """

    def __init__(self, folder: Path | None, bytes_max: int, ledger: Ledger, interval_s: float) -> None:
        self.wanted = folder is not None
        self._folder = folder
        self._bytes_max = bytes_max
        self._ledger = ledger
        self._burst = contract.RESENT_BYTES_PER_S * max(1.0, interval_s)
        self._allowed, self._allowed_at_s = self._burst, monotonic()
        self._half_turn_s = interval_s / 2
        self._buffer: DiskBuffer | None = None
        self._encoder: Encoder | None = None
        self._encoding = Lock()
        self._closed = False
        self._opened_s = self._probed_s = self._kept_s = self._said_s = float("-inf")
        self._refusals = self._metrics_refusals = 0

    @property
    def ready(self) -> bool:
        return self._buffer is not None

    def open(self) -> None:
        """At a turn's start: take the folder, if that was not possible until now."""
        if self._folder is None or self._buffer or self._closed or monotonic() - self._opened_s < _OPEN_EVERY_S:
            return
        self._opened_s = monotonic()
        try:
            self._encoder = self._encoder or Encoder()
            self._buffer = DiskBuffer(self._folder, self._bytes_max, self._ledger.drop)
        except BlockingIOError:
            self._say("another process has it")
        except (OSError, ValueError) as error:
            self._say(str(error))

    def save(self, waiting: Iterable[tuple[Signal, Source]]) -> bool:
        """Put on disk what waits in memory; False if the disk did not take all of it, and the rest stays there."""
        buffer = self._buffer
        if buffer is None:
            return False

        def write() -> None:
            for signal, source in waiting:
                source.send(partial(self._append, buffer, signal))
            buffer.sync()

        return self._on_disk(write)

    def keep_metrics(self, collected: MetricsData | None, at_once: bool = False) -> None:
        """Cumulative metrics that did not arrive, for the case that this process never sends again."""
        buffer, now_s = self._buffer, monotonic()
        if buffer is None or collected is None:
            return
        if at_once or now_s - self._kept_s >= contract.METRICS_KEPT_EVERY_S:
            body = self._encode("metrics", collected)
            if body is not None and self._on_disk(lambda: buffer.keep_metrics(body)):
                self._kept_s = now_s

    def forget_metrics(self) -> None:
        """Newer ones arrived."""
        if self._buffer is not None:
            self._on_disk(self._buffer.forget_metrics)

    def send_earlier_metrics(self, exporters: Exporters) -> bool:
        """The last unsent metrics of earlier processes; whether none are left."""
        if self._buffer is None:
            return True
        for sequence, body in self._buffer.earlier_metrics():
            if not exporters.send_body("metrics", body):
                return False
            self._metrics_refusals = 0
            self._buffer.forget_metrics(sequence)
        return True

    def send(self, exporters: Exporters, answered: bool) -> bool:
        """Send the oldest records, as many as the rate allows; whether none are left.

        `answered`: live metrics arrived just now. Where they did not, one record a minute still tries, for a receiver that
        refuses metrics only.
        """
        buffer = self._buffer
        if buffer is None:
            return True
        if not answered:
            return self._probe(buffer, exporters)
        self._weigh_earlier_metrics(buffer)
        until_s = monotonic() + self._half_turn_s
        while self._may_send() and (record := buffer.oldest()) is not None:
            if not exporters.send_body(record.signal, record.body):
                self._refused(buffer, record)
                break
            self._sent(buffer, record)
            if monotonic() > until_s:
                break
        return buffer.is_empty()

    def close(self) -> None:
        """Give the folder back."""
        self._closed = True
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._on_disk(buffer.close)

    def abandon(self) -> None:
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            buffer.abandon()

    def _append(self, buffer: DiskBuffer, signal: Signal, batch: Sequence[Any]) -> bool:
        body = self._encode(signal, batch)
        if body is None:
            self._ledger.drop(DropReason.EXPORT_REFUSED, len(batch))
        else:
            buffer.append(signal, len(batch), body)
        return True

    def _encode(self, signal: Signal, batch: Sequence[Any] | MetricsData) -> bytes | None:
        with self._encoding:
            return self._encoder.body(signal, batch) if self._encoder else None

    def _probe(self, buffer: DiskBuffer, exporters: Exporters) -> bool:
        record = buffer.oldest()
        if record is not None and monotonic() - self._probed_s >= _PROBE_EVERY_S:
            self._probed_s = monotonic()
            if exporters.send_body(record.signal, record.body):
                self._probed_s = float("-inf")
                self._sent(buffer, record)
        return record is None

    def _may_send(self) -> bool:
        now_s = monotonic()
        gained = (now_s - self._allowed_at_s) * contract.RESENT_BYTES_PER_S
        self._allowed, self._allowed_at_s = min(self._burst, self._allowed + gained), now_s
        return self._allowed > 0

    def _sent(self, buffer: DiskBuffer, record: Record) -> None:
        self._refusals = 0
        self._allowed -= len(record.body)
        self._on_disk(lambda: buffer.remove(record))

    def _refused(self, buffer: DiskBuffer, record: Record) -> None:
        """As for the queues: a record that alone is refused must not block those behind it for ever."""
        self._refusals += 1
        if self._refusals >= contract.REFUSALS_MAX:
            self._refusals = 0
            self._ledger.drop(DropReason.EXPORT_REFUSED, record.items)
            self._on_disk(lambda: buffer.remove(record))

    def _weigh_earlier_metrics(self, buffer: DiskBuffer) -> None:
        """Live metrics arrived: earlier ones that are still here were refused."""
        for sequence, _ in buffer.earlier_metrics():
            self._metrics_refusals += 1
            if self._metrics_refusals >= contract.REFUSALS_MAX:
                self._metrics_refusals = 0
                self._ledger.drop(DropReason.EXPORT_REFUSED)
                buffer.forget_metrics(sequence)
            return

    def _on_disk(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except OSError as error:
            self._say(str(error))
            return False
        return True

    def _say(self, why: str) -> None:
        if not self._closed and monotonic() - self._said_s >= _SAY_EVERY_S:
            self._said_s = monotonic()
            self._ledger.drop(DropReason.BUFFER_FAILED)
            _logger.warning("the disk buffer %s can't be used: %s; telemetry waits in memory", self._folder, why)
