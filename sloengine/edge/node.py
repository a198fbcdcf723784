"""A device that runs models: who speaks, what its host does, and where its telemetry goes."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple
from weakref import WeakSet

from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import CallbackOptions, NoOpMeterProvider, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from . import contract
from .backlog import Backlog
from .contract import DropReason
from .events import Events
from .host import CpuUse, memory_use
from .inference import Identity, Model
from .ledger import Ledger, guarded
from .sampling import ConsistentSampler, Ids
from .uplink import LogQueue, SpanQueue, Uplink, Waiting
from .wire import Exporters, otlp

_logger = logging.getLogger("sloengine.edge")
_AT_EXIT_S = 2.0
_GAUGE_MAX_S = 1.0
_BUFFER_BYTES = (contract.BUFFER_BYTES_MIN, contract.BUFFER_BYTES_MAX)
_UNKNOWN = "unknown"
_DURATION_VIEW = View(
    instrument_name=contract.DURATION,
    aggregation=ExponentialBucketHistogramAggregation(
        max_size=contract.DURATION_BUCKETS_MAX, max_scale=contract.DURATION_SCALE_MAX
    ),
)

Gauge = Callable[[], float | None]


class Settings(NamedTuple):
    span_ratio: float
    prediction_ratio: float
    interval_s: float
    buffer_dir: Path | None
    buffer_bytes_max: int


class Pipeline:
    """The SDK's providers of one node in one process. None is global, so several nodes can live in a process."""

    def __init__(
        self,
        resource: Mapping[str, Any],
        settings: Settings,
        exporters: Callable[[], Exporters],
    ) -> None:
        # Made here, because `service.instance.id` has to be another one in a forked process.
        who = Resource.create(resource)
        reader = InMemoryMetricReader()
        meters = MeterProvider(
            [reader],
            resource=who,
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
            views=[_DURATION_VIEW],
        )
        self.meter = meters.get_meter(contract.SCOPE)
        self.ledger = Ledger(self.meter)
        self.duration = self.meter.create_histogram(
            contract.DURATION, unit="s", description="end to end per request, retries included"
        )
        self.score = self.meter.create_histogram(
            contract.SCORE,
            unit="1",
            description="score of the prediction",
            explicit_bucket_boundaries_advisory=contract.SCORE_BOUNDS,
        )
        self.sampler, self.ids = ConsistentSampler(settings.span_ratio), Ids()
        quiet = NoOpMeterProvider()
        tracers = TracerProvider(
            self.sampler,
            who,
            shutdown_on_exit=False,
            id_generator=self.ids,
            span_limits=SpanLimits(max_span_attribute_length=contract.ATTRIBUTE_LENGTH_MAX),
            meter_provider=quiet,
        )
        self.prediction_ratio = settings.prediction_ratio
        spans, logs = SpanQueue(self.ledger), LogQueue(self.ledger)
        tracers.add_span_processor(spans)
        self.tracer = tracers.get_tracer(contract.SCOPE)
        loggers = LoggerProvider(who, shutdown_on_exit=False, meter_provider=quiet)
        loggers.add_log_record_processor(logs)
        self.logger = loggers.get_logger(contract.SCOPE)
        waiting = Waiting(logs.queue, logs.predictions, spans.queue)
        backlog = Backlog(settings.buffer_dir, settings.buffer_bytes_max, self.ledger, settings.interval_s)
        self.uplink = Uplink(reader, waiting, exporters, backlog, settings.interval_s)


class Node:
    """One device. Make one per process and device, ask it for models, close it at the end.

    `endpoint` is an OTLP/HTTP base address (None: OpenTelemetry's environment variables); `headers` go with every
    request. `span_ratio` in [0, 1] is the share of requests that become spans, `predictions` the share of predictions that
    become records; metrics count all of them. In `buffer_dir`, a folder of this process alone, waits what can't be sent,
    in at most `buffer_bytes_max` bytes. Times are seconds. Settings that make no sense are replaced by the defaults and
    counted like other refused values.
    """

    def __init__(
        self,
        service: str,
        device: str,
        region: str,
        *,
        endpoint: str | None = None,
        headers: Mapping[str, str] | None = None,
        gateway: str | None = None,
        driver: str | None = None,
        hardware: str | None = None,
        version: str | None = None,
        environment: str | None = None,
        span_ratio: float = 0.01,
        predictions: float = 0.0,
        buffer_dir: str | os.PathLike[str] | None = None,
        buffer_bytes_max: int = contract.BUFFER_BYTES_DEFAULT,
        export_interval_s: float = 10.0,
        export_timeout_s: float = 10.0,
        resource_attributes: Mapping[str, object] | None = None,
        exporters: Callable[[], Exporters] | None = None,
    ) -> None:
        self._early = Ledger(NoOpMeterProvider().get_meter(contract.SCOPE))
        self._resource = self._describe(
            self._mapping(resource_attributes),
            required={"service.name": service, "device.id": device, "edge.region": region},
            optional={
                "service.version": version,
                "edge.gateway.id": gateway,
                "edge.driver.version": driver,
                "edge.hardware": hardware,
                "deployment.environment.name": environment,
            },
        )
        self._settings = Settings(
            self._setting(span_ratio, 0.0, 1.0, default=0.01),
            self._setting(predictions, 0.0, 1.0, default=0.0),
            self._setting(export_interval_s, 0.01, 86_400, default=10.0),
            self._folder(buffer_dir, exporters),
            int(self._setting(buffer_bytes_max, *_BUFFER_BYTES, default=contract.BUFFER_BYTES_DEFAULT)),
        )
        timeout_s = self._setting(export_timeout_s, 0.1, 600, default=10.0)
        sent_with = {str(key): str(value) for key, value in self._mapping(headers).items()}
        self._exporters = exporters or (lambda: otlp(endpoint, sent_with, timeout_s))
        self._models: dict[Identity, Model] = {}
        self._power: str | None = None
        self._gauges: dict[str, tuple[Gauge, str]] = {contract.CPU: (CpuUse(), "1"), contract.MEMORY: (memory_use, "1")}
        self._open()
        self.ledger.take_over(self._early)
        self._pipeline.uplink.start()
        _nodes.add(self)

    def model(
        self,
        name: str,
        *,
        version: str | int | None = None,
        rollout: str | None = None,
        wave: str | int | None = None,
    ) -> Model:
        """The model of that name and version here; the same object when asked again."""
        text = self.ledger.text
        identity = Identity(self._required(name), self._required(version), text(rollout), text(wave))
        with self._lock:
            if identity not in self._models and len(self._models) >= contract.MODELS_MAX:
                self.ledger.drop(DropReason.TOO_MANY_VALUES)
                identity = Identity(contract.OTHER, contract.OTHER, None, None)
            found = self._models.get(identity)
            if found is None:
                found = self._models[identity] = Model(identity, self._pipeline)
            return found

    @guarded
    def power(self, state: str) -> None:
        """The device's power state from now on: normal, saver or critical."""
        if state in contract.POWER_STATES:
            self._power = state
        else:
            self.ledger.drop(DropReason.OUT_OF_RANGE)

    @guarded
    def gauge(self, name: str, read: Gauge, unit: str = "1") -> None:
        """Report `read()` at each export, on the uplink's thread; None is no point. Replaces one of the same name."""
        with self._lock:
            known = name in self._gauges
            if not known:
                self._observe(name, unit)
            self._gauges[name] = (read, unit)

    @guarded
    def update(
        self,
        *,
        rollout: str,
        status: str,
        model: str | None = None,
        version: str | int | None = None,
        wave: str | int | None = None,
        error: BaseException | str | None = None,
    ) -> None:
        """How an update of this device, one of `rollout`, is going: started, succeeded, failed or cancelled."""
        if status not in contract.UPDATE_STATUSES:
            self.ledger.drop(DropReason.OUT_OF_RANGE)
            return
        given = {
            contract.ROLLOUT_ID: self._required(rollout),
            contract.ROLLOUT_WAVE: wave,
            contract.MODEL_NAME: model,
            contract.MODEL_VERSION: version,
            contract.UPDATE_STATUS: status,
            contract.ERROR_TYPE: type(error).__name__ if isinstance(error, BaseException) else error,
        }
        known = {key: text for key, value in given.items() if (text := self.ledger.text(value)) is not None}
        severity = SeverityNumber.ERROR if status == "failed" else SeverityNumber.INFO
        self._events.emit(contract.UPDATE, severity, known)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Send what there is; False if that did not succeed within `timeout_s`."""
        return self._pipeline.uplink.flush(self._timeout(timeout_s))

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what there is and stop; returns within `timeout_s`, False if something was left unsent."""
        _nodes.discard(self)
        self._pipeline.uplink.stop()
        return self._pipeline.uplink.join(self._timeout(timeout_s))

    def _open(self) -> None:
        self._lock = Lock()
        self._pipeline = Pipeline(self._resource, self._settings, self._exporters)
        self.ledger = self._pipeline.ledger
        self._events = Events(self._pipeline.logger, self.ledger, {})
        self._pipeline.meter.create_observable_gauge(
            contract.POWER_STATE, [self._read_power], unit="1", description="power state now"
        )
        for name, (_, unit) in self._gauges.items():
            self._observe(name, unit)

    def _reopen(self) -> None:
        """In a forked process: threads are gone, locks may be held for ever, and the counts so far are the parent's."""
        self._pipeline.uplink.abandon()
        self._open()
        for model in self._models.values():
            model.bind(self._pipeline)

    def _describe(
        self, extra: Mapping[str, object], required: Mapping[str, object], optional: Mapping[str, object]
    ) -> dict[str, str | bool | int | float]:
        described: dict[str, str | bool | int | float] = {}
        for key, value in {**extra, **optional}.items():
            name, clean = self._early.text(key), self._attribute(value)
            if name is not None and clean is not None:
                described[name] = clean
        return described | {key: self._required(value, self._early) for key, value in required.items()}

    def _mapping(self, given: Mapping[str, object] | None) -> Mapping[str, object]:
        if given is None or isinstance(given, Mapping):
            return given or {}
        self._early.drop(DropReason.WRONG_TYPE)
        return {}

    def _attribute(self, value: object) -> str | bool | int | float | None:
        if isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return self._early.number(value, -(2**53), 2**53)
        return self._early.text(value)

    def _required(self, value: object, ledger: Ledger | None = None) -> str:
        ledger = ledger or self.ledger
        if value is None:
            ledger.drop(DropReason.ATTRIBUTE_EMPTY)
        return ledger.text(value) or _UNKNOWN

    def _setting(self, value: float, low: float, high: float, default: float) -> float:
        number = self._early.number(value, low, high)
        return default if number is None else number

    def _folder(self, buffer_dir: object, exporters: object) -> Path | None:
        if buffer_dir is None:
            return None
        if isinstance(buffer_dir, (str, os.PathLike)) and exporters is None:
            return Path(os.fsdecode(buffer_dir))
        # Exporters of the application's own can't send what was written in the form of OTLP over HTTP.
        self._early.drop(DropReason.WRONG_TYPE if exporters is None else DropReason.MISUSE)
        _logger.warning("buffer_dir is not used: it needs a path, and OTLP over HTTP instead of `exporters`")
        return None

    def _timeout(self, seconds: float) -> float:
        number = self.ledger.number(seconds, 0.0, 3600.0)
        return 0.0 if number is None else number

    def _observe(self, name: str, unit: str) -> None:
        def read(_options: CallbackOptions) -> Iterable[Observation]:
            value = self._read_gauge(name)
            return [] if value is None else [Observation(value)]

        self._pipeline.meter.create_observable_gauge(name, [read], unit=unit)

    def _read_gauge(self, name: str) -> float | None:
        began_s = monotonic()
        try:
            value = self._gauges[name][0]()
        except Exception:  # noqa: BLE001  the application's code
            self.ledger.drop(DropReason.GAUGE_FAILED)
            return None
        if monotonic() - began_s > _GAUGE_MAX_S:
            # Asked again it would hold up all other telemetry at each export.
            self._gauges[name] = (_nothing, self._gauges[name][1])
            self.ledger.drop(DropReason.GAUGE_FAILED)
        high = 1.0 if name.endswith(".utilization") else float("inf")
        return None if value is None else self.ledger.number(value, 0.0 if high == 1.0 else -high, high)

    def _read_power(self, _options: CallbackOptions) -> Iterable[Observation]:
        # The SDK asks all callbacks before it reads the sums: the last moment to hand over what was counted.
        self.ledger.drain()
        return [] if self._power is None else [Observation(1, {contract.POWER_STATE: self._power})]


def _nothing() -> None:
    """A gauge that was too slow to be asked again."""


_nodes: WeakSet[Node] = WeakSet()


@atexit.register
def _close_all() -> None:
    """For programs that end without `close`: all nodes at once, within two seconds."""
    open_nodes = list(_nodes)
    for node in open_nodes:
        node._pipeline.uplink.stop()
    deadline_s = monotonic() + _AT_EXIT_S
    for node in open_nodes:
        node.close(max(0.0, deadline_s - monotonic()))


def _reopen_all() -> None:
    for node in list(_nodes):
        node._reopen()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reopen_all)
