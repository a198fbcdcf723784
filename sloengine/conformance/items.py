"""What rules look at: one resource, metric, point, span, log record or device, with what is known around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from . import expected
from .memory import Device, Memory, Series

RESOURCE, REQUEST = "resource", "request"
NAMELESS = "(no device.id)"


@dataclass(frozen=True, slots=True)
class Sending:
    """How a request came. Times are nanoseconds since 1970 by our clock, None where nobody knows (a file)."""

    received_ns: int | None = None
    sent_ns: int | None = None
    """The device's clock when it sent, from its header."""
    now_ns: int | None = None
    """For files: when they are read. Nothing in them can be later."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A resource: who speaks in part of a request."""

    signal: str
    pairs: Sequence[KeyValue]
    attributes: Mapping[str, str]
    sending: Sending
    memory: Device
    names: Collection[str] = ()
    """Metric names in the same part of the request."""
    name = ""

    @property
    def device(self) -> str:
        return self.attributes.get(expected.DEVICE) or NAMELESS


@dataclass(frozen=True, slots=True)
class MetricItem:
    """A metric. `kind` is the name of OTLP's field (`sum`, `gauge`…), empty when there is no data."""

    sender: Sender
    metric: Metric
    kind: str
    signal = "metrics"

    @property
    def name(self) -> str:
        return self.metric.name

    @property
    def data(self) -> Any:
        return getattr(self.metric, self.kind)

    @property
    def temporality(self) -> int | None:
        """0 unspecified, 1 delta, 2 cumulative; None where the kind has none."""
        return getattr(self.data, "aggregation_temporality", None) if self.kind else None

    @property
    def as_agreed(self) -> bool:
        """Of the contract, in its kind and cumulative: what a point's own rules presuppose."""
        return self.kind == expected.KINDS.get(self.name) and self.temporality in (None, 2)


@dataclass(frozen=True, slots=True)
class PointItem:
    """A point. `before` is what was known of its series until now, None for its first."""

    of: MetricItem
    point: Any
    pairs: Sequence[KeyValue]
    attributes: Mapping[str, str]
    value: float
    """The number, or a histogram's count."""
    before: Series | None
    signal = "metrics"

    @property
    def sender(self) -> Sender:
        return self.of.sender

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def wanted(self) -> tuple[str, ...]:
        model = expected.MODEL_REQUIRED if self.name in expected.WITH_MODEL else ()
        return (*model, *expected.METRIC_REQUIRED.get(self.name, ()))

    @property
    def welcome(self) -> tuple[str, ...]:
        model = expected.MODEL_OPTIONAL if self.name in expected.WITH_MODEL else ()
        return (*model, *expected.METRIC_OPTIONAL.get(self.name, ()))

    @property
    def counts(self) -> bool:
        """Whether it is a point of a cumulative counter or histogram, of the contract or not."""
        rising = self.of.kind in ("histogram", "exponential_histogram") or (
            self.of.kind == "sum" and self.of.data.is_monotonic
        )
        return rising and self.of.temporality == 2


@dataclass(frozen=True, slots=True)
class SpanItem:
    """A span; `ours` says whether it is one of the contract's."""

    sender: Sender
    span: Span
    pairs: Sequence[KeyValue]
    attributes: Mapping[str, str]
    ours: bool
    signal = "traces"
    wanted = (*expected.MODEL_REQUIRED, *expected.SPAN_REQUIRED)
    welcome = (*expected.MODEL_OPTIONAL, *expected.SPAN_OPTIONAL)

    @property
    def name(self) -> str:
        return self.span.name


@dataclass(frozen=True, slots=True)
class EventItem:
    """A log record; `name` is its event's name, empty for plain logs."""

    sender: Sender
    record: LogRecord
    pairs: Sequence[KeyValue]
    attributes: Mapping[str, str]
    name: str
    signal = "logs"

    @property
    def time_ns(self) -> int:
        return self.record.time_unix_nano or self.record.observed_time_unix_nano

    @property
    def wanted(self) -> tuple[str, ...]:
        model = expected.MODEL_REQUIRED if self.name in expected.EVENTS_WITH_MODEL else ()
        return (*model, *expected.EVENTS.get(self.name, ()))

    @property
    def welcome(self) -> tuple[str, ...]:
        model = expected.MODEL_OPTIONAL if self.name in expected.EVENTS_WITH_MODEL else ()
        return (*model, *expected.EVENTS_OPTIONAL.get(self.name, ()))


@dataclass(frozen=True, slots=True)
class DeviceItem:
    """A device at the end, with everything remembered about it."""

    device: str
    memory: Device
    signal = "device"
    name = ""


@dataclass(frozen=True, slots=True)
class SessionItem:
    """Everything, at the end."""

    memory: Memory
    items: int
    requests: int
    capped: Collection[str]
    device = ""
    signal = "session"
    name = ""


Item = PointItem | SpanItem | EventItem
ITEMS = (PointItem, SpanItem, EventItem)
