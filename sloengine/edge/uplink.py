"""The way out: bounded queues, and one thread per node that collects and sends.

The SDK's batch processors wait for the exporter when they are flushed, start three threads per node and don't say what
they lost.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, set_value
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from . import contract
from .backlog import Backlog
from .contract import DropReason
from .disk import Signal
from .ledger import Ledger
from .wire import Exporters

T = TypeVar("T")

_logger = logging.getLogger("sloengine.edge")
_THREAD = "sloengine-edge-uplink"
_BATCH_MAX = 512
_RESCUE_S = 1.0
_COMPLAIN_EVERY_S = 600.0
_CHATTY = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.metrics._internal.instrument",
    "urllib3.connectionpool",
)


class Queue(Generic[T]):
    """What waits to be sent, oldest first. A full queue loses its oldest item, and counts it."""

    def __init__(self, size_max: int, ledger: Ledger) -> None:
        self._items: deque[T] = deque()
        self._size_max = size_max
        self._ledger = ledger
        self._lock = threading.Lock()
        self._refusals = 0

    def put(self, item: T) -> None:
        with self._lock:
            self._items.append(item)
            full = len(self._items) > self._size_max
            if full:
                self._items.popleft()
        if full:
            self._ledger.drop(DropReason.QUEUE_FULL)

    def send(self, export: Callable[[Sequence[T]], bool]) -> bool:
        """Send all there is. What fails stays for the next time, unless `refused` says otherwise."""
        while batch := self._head():
            if not export(batch):
                return False
            self._refusals = 0
            self._remove(batch)
        return True

    def refused(self) -> None:
        """The endpoint takes metrics but not our head: when it stays so the head must go, or nothing behind it will."""
        self._refusals += 1
        if self._refusals >= contract.REFUSALS_MAX:
            self._refusals = 0
            batch = self._head()
            self._remove(batch)
            self._ledger.drop(DropReason.EXPORT_REFUSED, len(batch))

    def _head(self) -> list[T]:
        with self._lock:
            return list(islice(self._items, _BATCH_MAX))

    def _remove(self, batch: Sequence[T]) -> None:
        """Those of `batch` that a full queue has not already lost."""
        sent = {id(item) for item in batch}
        with self._lock:
            while self._items and id(self._items[0]) in sent:
                self._items.popleft()


class SpanQueue(SpanProcessor):
    def __init__(self, ledger: Ledger) -> None:
        self.queue: Queue[ReadableSpan] = Queue(contract.SPANS_QUEUED_MAX, ledger)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do yet."""

    def on_end(self, span: ReadableSpan) -> None:
        self.queue.put(span)


class LogQueue(LogRecordProcessor):
    def __init__(self, ledger: Ledger) -> None:
        self.queue: Queue[ReadableLogRecord] = Queue(contract.LOGS_QUEUED_MAX, ledger)
        self.predictions: Queue[ReadableLogRecord] = Queue(contract.PREDICTIONS_QUEUED_MAX, ledger)
        """Of their own, so that many of them never push out the news that a model could not be loaded."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        sampled = log_record.log_record.event_name in contract.SAMPLED_BY_ID
        (self.predictions if sampled else self.queue).put(
            ReadableLogRecord(
                log_record.log_record,
                log_record.resource or Resource.get_empty(),
                log_record.instrumentation_scope,
                log_record.limits,
            )
        )

    def shutdown(self) -> None:
        """The uplink empties the queue."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class Waiting(NamedTuple):
    """What waits to be sent, the scarcest first."""

    logs: Queue[ReadableLogRecord]
    predictions: Queue[ReadableLogRecord]
    spans: Queue[ReadableSpan]

    def by_signal(self) -> list[tuple[Signal, Queue[Any]]]:
        return [("logs", self.logs), ("logs", self.predictions), ("spans", self.spans)]


class Uplink:
    """Collects and sends every `interval_s`, when flushed, and once more when closed; all of it on a daemon thread."""

    def __init__(
        self,
        reader: InMemoryMetricReader,
        waiting: Waiting,
        make_exporters: Callable[[], Exporters],
        backlog: Backlog,
        interval_s: float,
    ) -> None:
        self._reader = reader
        self._waiting = waiting
        self._make_exporters = make_exporters
        self._backlog = backlog
        self._interval_s = interval_s
        self._exporters: Exporters | None = None
        self._wake = threading.Event()
        self._turn = threading.Condition()
        self._started_turns = self._finished_turns = 0
        self._last_turn_sent = False
        self._down = False
        self._closing = False
        self._shut_down = threading.Lock()
        self._complained_s = -_COMPLAIN_EVERY_S
        self.running = False

    def start(self) -> None:
        with self._turn:
            if self.running or self._closing:
                return
            self.running = True
        _quieten()
        threading.Thread(target=self._run, name=_THREAD, daemon=True).start()

    def flush(self, timeout_s: float) -> bool:
        """Send what there is now; False if it did not arrive within `timeout_s`."""
        deadline_s = monotonic() + timeout_s
        with self._turn:
            if not self.running or self._closing:
                return False
            wanted = self._started_turns + 1
            self._wake.set()
            done = self._turn.wait_for(lambda: self._finished_turns >= wanted, deadline_s - monotonic())
            return done and self._last_turn_sent

    def stop(self) -> None:
        """Ask for the last turn; returns at once."""
        with self._turn:
            self._closing = True
            self._wake.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the last turn. After that a request in flight is given up, not waited for."""
        deadline_s = monotonic() + timeout_s
        # Where there is a disk, the last part of the time is for writing to it what the last turn did not get to.
        spare_s = min(_RESCUE_S, timeout_s / 2) if self._backlog.wanted else 0.0
        with self._turn:
            done = self._turn.wait_for(lambda: not self.running, max(0.0, timeout_s - spare_s))
        if not done and spare_s:
            rescue = threading.Thread(target=self._rescue, name=_THREAD, daemon=True)
            rescue.start()
            rescue.join(max(0.0, deadline_s - monotonic()))
        self._shutdown_exporters()
        return done and self._last_turn_sent

    def abandon(self) -> None:
        """In a forked child: the parent has the thread, and the buffer."""
        self._backlog.abandon()

    def _rescue(self) -> None:
        """For a last turn that hangs in the network: a thread of its own, since a disk and a gauge can hang too."""
        try:
            self._backlog.save(self._waiting.by_signal())
            self._backlog.keep_metrics(self._reader.get_metrics_data(), at_once=True)
        except Exception:  # noqa: BLE001  the application is ending; there is nobody left to tell
            return
        finally:
            self._backlog.close()

    def _run(self) -> None:
        # Else an instrumented HTTP client would trace the sending of traces.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        # A fleet that was switched on together must not send together, whatever seed its applications set.
        wait_s = self._interval_s * random.SystemRandom().random()
        last = False
        while not last:
            self._wake.wait(wait_s)
            self._wake.clear()
            wait_s = self._interval_s
            with self._turn:
                self._started_turns += 1
                last = self._closing
            sent = self._send_all(last)
            with self._turn:
                self._finished_turns = self._started_turns
                self._last_turn_sent = sent
                self._turn.notify_all()
        self._backlog.close()
        self._shutdown_exporters()
        with self._turn:
            self.running = False
            self._turn.notify_all()

    def _send_all(self, last: bool) -> bool:
        try:
            exporters = self._exporters = self._exporters or self._make_exporters()
            return self._send_with(exporters, last)
        except Exception:  # noqa: BLE001  a failing exporter must not end the thread
            self._complain()
            return False

    def _send_with(self, exporters: Exporters, last: bool) -> bool:
        """Metrics first: they tell whether somebody answers. With a disk, what may not arrive is on it before the attempt."""
        backlog = self._backlog
        backlog.open()
        if last or self._down:
            backlog.save(self._waiting.by_signal())
        earlier = self._attempt(lambda: backlog.send_earlier_metrics(exporters))
        if not earlier:
            backlog.save(self._waiting.by_signal())
        metrics = self._attempt(lambda: self._send_metrics(exporters, last))
        self._down = not metrics
        if metrics or not backlog.save(self._waiting.by_signal()):
            live = [self._send_queue(exporters, *one, metrics) for one in self._waiting.by_signal()]
        else:
            live = [False]
        arrived = metrics and all(live)
        if not arrived:
            self._complain()
        resent = self._attempt(lambda: backlog.send(exporters, metrics))
        return arrived and earlier and resent

    def _send_queue(self, exporters: Exporters, signal: Signal, queue: Queue[Any], answered: bool) -> bool:
        sent = self._attempt(lambda: queue.send(lambda batch: exporters.send(signal, batch)))
        if answered and not sent:
            queue.refused()
        return sent

    def _send_metrics(self, exporters: Exporters, last: bool) -> bool:
        collected = self._reader.get_metrics_data()
        if last:
            self._backlog.keep_metrics(collected, at_once=True)
        sent = collected is None or self._attempt(lambda: exporters.send("metrics", collected))
        if sent:
            self._backlog.forget_metrics()
        else:
            self._backlog.keep_metrics(collected)
        return sent

    def _attempt(self, send: Callable[[], bool]) -> bool:
        try:
            return send()
        except Exception:  # noqa: BLE001  one signal that fails must not hold back the others
            return False

    def _complain(self) -> None:
        """One line per outage and ten minutes, instead of the exporters' several per export."""
        if monotonic() - self._complained_s >= _COMPLAIN_EVERY_S:
            self._complained_s = monotonic()
            _logger.warning(
                "telemetry could not be sent; metrics stay cumulative, spans and events wait in bounded queues or on disk"
            )

    def _shutdown_exporters(self) -> None:
        if self._exporters is not None and self._shut_down.acquire(blocking=False):
            self._exporters.shutdown()


def _not_from_uplink(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD


def _quieten() -> None:
    """Silence the exporters' and the SDK's complaints on our threads only: the application may use them itself."""
    for name in _CHATTY:
        logging.getLogger(name).addFilter(_not_from_uplink)
