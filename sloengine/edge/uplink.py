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
from typing import Generic, NamedTuple, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, set_value
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from . import contract
from .contract import DropReason
from .ledger import Ledger

T = TypeVar("T")

_logger = logging.getLogger("sloengine.edge")
_THREAD = "sloengine-edge-uplink"
_LOGS_SENT = LogRecordExportResult.SUCCESS
_SPANS_SENT = SpanExportResult.SUCCESS
_BATCH_MAX = 512
_REFUSALS_MAX = 3
_COMPLAIN_EVERY_S = 600.0
_CHATTY = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.metrics._internal.instrument",
    "urllib3.connectionpool",
)


class Exporters(NamedTuple):
    """Where a node's telemetry goes; OTLP over HTTP unless a test or a simulator says otherwise."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter

    def shutdown(self) -> None:
        for exporter in self:
            exporter.shutdown()


def otlp(endpoint: str | None, headers: dict[str, str], timeout_s: float) -> Exporters:
    """OTLP/HTTP exporters, gzip; `endpoint` without a signal's path, None for OpenTelemetry's environment variables."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def url(signal: str) -> str | None:
        return f"{endpoint.rstrip('/')}/v1/{signal}" if endpoint else None

    gzip = Compression.Gzip
    return Exporters(
        OTLPSpanExporter(url("traces"), headers=headers, timeout=timeout_s, compression=gzip),
        OTLPMetricExporter(url("metrics"), headers=headers, timeout=timeout_s, compression=gzip),
        OTLPLogExporter(url("logs"), headers=headers, timeout=timeout_s, compression=gzip),
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
        if self._refusals >= _REFUSALS_MAX:
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

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.queue.put(
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


class Uplink:
    """Collects and sends every `interval_s`, when flushed, and once more when closed; all of it on a daemon thread."""

    def __init__(
        self,
        reader: InMemoryMetricReader,
        spans: Queue[ReadableSpan],
        logs: Queue[ReadableLogRecord],
        make_exporters: Callable[[], Exporters],
        interval_s: float,
    ) -> None:
        self._reader = reader
        self._spans = spans
        self._logs = logs
        self._make_exporters = make_exporters
        self._interval_s = interval_s
        self._exporters: Exporters | None = None
        self._wake = threading.Event()
        self._turn = threading.Condition()
        self._started_turns = self._finished_turns = 0
        self._last_turn_sent = False
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
        with self._turn:
            done = self._turn.wait_for(lambda: not self.running, max(0.0, timeout_s))
        self._shutdown_exporters()
        return done and self._last_turn_sent

    def _run(self) -> None:
        # Else an instrumented HTTP client would trace the sending of traces.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        # A fleet that was switched on together must not send together.
        wait_s = self._interval_s * random.random()  # noqa: S311
        last = False
        while not last:
            self._wake.wait(wait_s)
            self._wake.clear()
            wait_s = self._interval_s
            with self._turn:
                self._started_turns += 1
                last = self._closing
            sent = self._send_all()
            with self._turn:
                self._finished_turns = self._started_turns
                self._last_turn_sent = sent
                self._turn.notify_all()
        self._shutdown_exporters()
        with self._turn:
            self.running = False
            self._turn.notify_all()

    def _send_all(self) -> bool:
        try:
            exporters = self._exporters = self._exporters or self._make_exporters()
            metrics = self._attempt(lambda: self._send_metrics(exporters.metrics))
            logs = self._attempt(lambda: self._logs.send(lambda batch: exporters.logs.export(batch) is _LOGS_SENT))
            spans = self._attempt(lambda: self._spans.send(lambda batch: exporters.spans.export(batch) is _SPANS_SENT))
            if metrics and not logs:
                self._logs.refused()
            if metrics and not spans:
                self._spans.refused()
            sent_all = metrics and logs and spans
        except Exception:  # noqa: BLE001  a failing exporter must not end the thread
            sent_all = False
        if not sent_all:
            self._complain()
        return sent_all

    def _send_metrics(self, exporter: MetricExporter) -> bool:
        collected = self._reader.get_metrics_data()
        return collected is None or exporter.export(collected) is MetricExportResult.SUCCESS

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
                "telemetry could not be sent; metrics stay cumulative, spans and events wait in bounded queues"
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
