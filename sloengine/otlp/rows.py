"""OTLP requests as rows of the seven otel_* tables: the same columns and values that the gateway's collector writes.

Pure. A row is a list in the order of COLUMNS[table]. Times are integers, nanoseconds since 1970, which
clickhouse-connect writes into DateTime64(9) columns unchanged. What the gateway drops is counted by reason, under the
names of the collector's filters.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sloengine.otlp import values
from sloengine.otlp.gateway import ORIGINAL_END_KEY, ORIGINAL_TIME_KEY, Gateway, honest_tracestate, signed

Row = list[object]
Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint

TIME_OUT_OF_RANGE = "time_out_of_range"
NOT_A_NUMBER = "not_a_number"
NO_DATA = "no_data"

_SERIES = (
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
)
_EXEMPLARS = (
    "Exemplars.FilteredAttributes",
    "Exemplars.TimeUnix",
    "Exemplars.Value",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
)
_HISTOGRAM_END = (*_EXEMPLARS, "Flags", "Min", "Max", "AggregationTemporality")

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "otel_traces": (
        "Timestamp",
        "TraceId",
        "SpanId",
        "ParentSpanId",
        "TraceState",
        "SpanName",
        "SpanKind",
        "ServiceName",
        "ResourceAttributes",
        "ScopeName",
        "ScopeVersion",
        "SpanAttributes",
        "Duration",
        "StatusCode",
        "StatusMessage",
        "Events.Timestamp",
        "Events.Name",
        "Events.Attributes",
        "Links.TraceId",
        "Links.SpanId",
        "Links.TraceState",
        "Links.Attributes",
    ),
    "otel_logs": (
        "Timestamp",
        "TraceId",
        "SpanId",
        "TraceFlags",
        "SeverityText",
        "SeverityNumber",
        "ServiceName",
        "Body",
        "ResourceSchemaUrl",
        "ResourceAttributes",
        "ScopeSchemaUrl",
        "ScopeName",
        "ScopeVersion",
        "ScopeAttributes",
        "LogAttributes",
        "EventName",
    ),
    "otel_metrics_gauge": (*_SERIES, "Value", "Flags", *_EXEMPLARS),
    "otel_metrics_sum": (*_SERIES, "Value", "Flags", *_EXEMPLARS, "AggregationTemporality", "IsMonotonic"),
    "otel_metrics_histogram": (*_SERIES, "Count", "Sum", "BucketCounts", "ExplicitBounds", *_HISTOGRAM_END),
    "otel_metrics_exponential_histogram": (
        *_SERIES,
        "Count",
        "Sum",
        "Scale",
        "ZeroCount",
        "PositiveOffset",
        "PositiveBucketCounts",
        "NegativeOffset",
        "NegativeBucketCounts",
        *_HISTOGRAM_END,
    ),
    "otel_metrics_summary": (
        *_SERIES,
        "Count",
        "Sum",
        "ValueAtQuantiles.Quantile",
        "ValueAtQuantiles.Value",
        "Flags",
    ),
}

_SPAN_KINDS = {0: "Unspecified", 1: "Internal", 2: "Server", 3: "Client", 4: "Producer", 5: "Consumer"}
_STATUS_CODES = {0: "Unset", 1: "Ok", 2: "Error"}


class MalformedError(ValueError):
    """A request that parses as protobuf and yet is not OTLP: an id of the wrong length."""


@dataclass
class Batch:
    """Rows by table, and how many items were dropped, by reason."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, table: str, row: Row) -> None:
        """One more row."""
        self.rows.setdefault(table, []).append(row)


def traces(request: ExportTraceServiceRequest, gateway: Gateway) -> Batch:
    """Spans as rows of otel_traces. No span is dropped."""
    batch = Batch()
    for of_resource in request.resource_spans:
        resource = gateway.stamped(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                batch.add("otel_traces", _span(span, resource, of_scope.scope, gateway))
    return batch


def logs(request: ExportLogsServiceRequest, gateway: Gateway) -> Batch:
    """Log records as rows of otel_logs. No record is dropped."""
    batch = Batch()
    for of_resource in request.resource_logs:
        resource = gateway.stamped(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs:
            scope = of_scope.scope
            between: Row = [of_resource.schema_url, resource, of_scope.schema_url, scope.name, scope.version]
            between.append(values.attributes(scope.attributes))
            for record in of_scope.log_records:
                batch.add("otel_logs", _log(record, resource.get("service.name", ""), between, gateway))
    return batch


def metrics(request: ExportMetricsServiceRequest, gateway: Gateway) -> Batch:
    """Metric points as rows of the five otel_metrics_* tables."""
    batch = Batch()
    for of_resource in request.resource_metrics:
        resource = gateway.stamped(of_resource.resource.attributes)
        for of_scope in of_resource.scope_metrics:
            series = _series(resource, of_resource.schema_url, of_scope.scope, of_scope.schema_url)
            for metric in of_scope.metrics:
                _add_points(batch, metric, series, gateway)
    return batch


def _span(span: Span, resource: dict[str, str], scope: InstrumentationScope, gateway: Gateway) -> Row:
    start, end, moved = gateway.span_times(signed(span.start_time_unix_nano), signed(span.end_time_unix_nano))
    trace_id = _hex(span.trace_id, 16)
    return [
        start,
        trace_id,
        _hex(span.span_id, 8),
        _hex(span.parent_span_id, 8),
        honest_tracestate(span.trace_state, trace_id),
        span.name,
        _SPAN_KINDS.get(span.kind, ""),
        resource.get("service.name", ""),
        resource,
        scope.name,
        scope.version,
        _marked(
            values.attributes(span.attributes), moved, (ORIGINAL_TIME_KEY, ORIGINAL_END_KEY, "edge.tmp.tracestate")
        ),
        end - start,
        _STATUS_CODES.get(span.status.code, ""),
        span.status.message,
        *_events(span.events, start, gateway),
        *_links(span.links),
    ]


def _marked(attributes: dict[str, str], marks: Mapping[str, str], ours: Iterable[str]) -> dict[str, str]:
    """Attributes with our marks, and without what the device sent under the marks' names."""
    kept = {key: value for key, value in attributes.items() if key not in ours}
    return dict(sorted({**kept, **marks}.items()))


def _events(events: Iterable[Span.Event], start: int, gateway: Gateway) -> tuple[Row, Row, Row]:
    times: Row = []
    names: Row = []
    maps: Row = []
    for event in events:
        time, moved = gateway.moment(signed(event.time_unix_nano), start)
        times.append(time)
        names.append(event.name)
        maps.append(_marked(values.attributes(event.attributes), moved, (ORIGINAL_TIME_KEY,)))
    return times, names, maps


def _links(links: Sequence[Span.Link]) -> tuple[Row, Row, Row, Row]:
    return (
        [_hex(link.trace_id, 16) for link in links],
        [_hex(link.span_id, 8) for link in links],
        [link.trace_state for link in links],
        [values.plain_attributes(link.attributes) for link in links],
    )


def _log(record: LogRecord, service: str, between: Row, gateway: Gateway) -> Row:
    claimed = signed(record.time_unix_nano or record.observed_time_unix_nano)
    time, moved = gateway.moment(claimed, gateway.received_ns)
    attributes = _marked(values.attributes(record.attributes), moved, (ORIGINAL_TIME_KEY,))
    event_name = _name_event(record, attributes)
    return [
        time,
        _hex(record.trace_id, 16),
        _hex(record.span_id, 8),
        record.flags & 0xFF,
        record.severity_text,
        record.severity_number & 0xFF,
        service,
        values.body(record.body),
        *between,
        dict(sorted(attributes.items())),
        event_name,
    ]


def _name_event(record: LogRecord, attributes: dict[str, str]) -> str:
    """The event's name, from the field or the attribute; it is then in both (senders differ)."""
    kind = next((pair.value.WhichOneof("value") for pair in record.attributes if pair.key == "event.name"), None)
    if not record.event_name:
        return attributes["event.name"] if kind == "string_value" else ""
    if kind is None:
        attributes["event.name"] = record.event_name
    return record.event_name


def _series(resource: dict[str, str], resource_url: str, scope: InstrumentationScope, scope_url: str) -> Row:
    return [
        resource,
        resource_url,
        scope.name,
        scope.version,
        values.attributes(scope.attributes),
        scope.dropped_attributes_count,
        scope_url,
        resource.get("service.name", ""),
    ]


def _add_points(batch: Batch, metric: Metric, series: Row, gateway: Gateway) -> None:
    kind = metric.WhichOneof("data")
    if kind is None:
        batch.dropped[NO_DATA] += 1
        return
    data = getattr(metric, kind)
    about: Row = [*series, metric.name, metric.description, metric.unit]
    for point in data.data_points:
        reason = _why_dropped(point, gateway)
        if reason is None:
            batch.add(f"otel_metrics_{kind}", [*about, *_when(point), *_measured(data, point)])
        else:
            batch.dropped[reason] += 1


def _why_dropped(point: Point, gateway: Gateway) -> str | None:
    if not gateway.in_bounds(signed(point.time_unix_nano)):
        return TIME_OUT_OF_RANGE
    # x - x is 0 for every number except NaN and the infinities.
    if isinstance(point, NumberDataPoint) and point.as_double - point.as_double != 0:
        return NOT_A_NUMBER
    return None


def _when(point: Point) -> Row:
    start, time = signed(point.start_time_unix_nano), signed(point.time_unix_nano)
    # A start after the point, or beyond 2262, is no start: 0 means unknown.
    return [values.attributes(point.attributes), start if 0 <= start <= time else 0, time]


def _measured(data: Any, point: Point) -> Row:
    """The columns after TimeUnix. `data` is the point's gauge, sum, histogram…"""
    if isinstance(point, SummaryDataPoint):
        quantiles = point.quantile_values
        return [point.count, point.sum, [q.quantile for q in quantiles], [q.value for q in quantiles], point.flags]
    exemplars = _exemplars(point.exemplars)
    if isinstance(point, NumberDataPoint):
        kind: Row = [data.aggregation_temporality, data.is_monotonic] if hasattr(data, "is_monotonic") else []
        return [_number(point), point.flags, *exemplars, *kind]
    end = [*exemplars, point.flags, point.min, point.max, getattr(data, "aggregation_temporality", 0)]
    if isinstance(point, HistogramDataPoint):
        return [point.count, point.sum, list(point.bucket_counts), list(point.explicit_bounds), *end]
    positive, negative = point.positive, point.negative
    buckets: Row = [positive.offset, list(positive.bucket_counts), negative.offset, list(negative.bucket_counts)]
    return [point.count, point.sum, point.scale, point.zero_count, *buckets, *end]


def _exemplars(exemplars: Sequence[Exemplar]) -> tuple[Row, Row, Row, Row, Row]:
    return (
        [values.plain_attributes(exemplar.filtered_attributes) for exemplar in exemplars],
        [signed(exemplar.time_unix_nano) for exemplar in exemplars],
        [_number(exemplar) for exemplar in exemplars],
        # Unlike elsewhere, the exporter writes an absent id of an exemplar as zeros.
        [_hex(exemplar.span_id, 8) or "0" * 16 for exemplar in exemplars],
        [_hex(exemplar.trace_id, 16) or "0" * 32 for exemplar in exemplars],
    )


def _number(point: NumberDataPoint | Exemplar) -> float:
    return float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double


def _hex(identifier: bytes, size: int) -> str:
    """The id in hex; absent and all-zero ids are empty."""
    if len(identifier) not in (0, size):
        raise MalformedError(f"an id of {len(identifier)} bytes where OTLP has {size}")
    return identifier.hex() if any(identifier) else ""
