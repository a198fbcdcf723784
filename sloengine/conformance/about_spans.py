"""Rules about spans."""

from __future__ import annotations

import re
from collections.abc import Iterable

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sloengine.edge import contract as c
from sloengine.otlp.gateway import honest_tracestate

from .findings import Hit, Level, rule
from .items import EventItem, SpanItem

_THRESHOLD = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:[0-9a-f]{1,14}(?:[;,]|\Z)")
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8


@rule(
    "span-threshold-missing",
    SpanItem,
    Level.WARNING,
    "spans",
    "a span that does not say how it was sampled: its weight is unknown, and it is in no figure",
    "Write ot=th:… into tracestate: th:0 if every span is kept. Lower-case hexadecimal, at most 14 digits.",
)
def threshold_missing(item: SpanItem) -> Iterable[Hit]:
    if item.ours and not _THRESHOLD.search(item.span.trace_state):
        yield Hit("trace_state", item.span.trace_state or "empty")


@rule(
    "span-threshold-impossible",
    SpanItem,
    Level.ERROR,
    "spans",
    "a span that its own threshold would not have kept: the weight is made up",
    "Keep a span when the low 56 bits of its trace id (or ot=rv) are at least T, and write that T. Trace ids must be random.",
)
def threshold_impossible(item: SpanItem) -> Iterable[Hit]:
    state = item.span.trace_state
    if (
        item.ours
        and len(item.span.trace_id) == _TRACE_ID_BYTES
        and honest_tracestate(state, item.span.trace_id.hex()) != state
    ):
        yield Hit("trace_state", f"{state} with trace id …{item.span.trace_id.hex()[18:]}")


@rule(
    "span-id-missing",
    SpanItem,
    Level.ERROR,
    "spans",
    "a span with an empty or zero trace id or span id",
    "Give each trace 16 random bytes and each span 8.",
)
def id_missing(item: SpanItem) -> Iterable[Hit]:
    for name in ("trace_id", "span_id"):
        if not any(getattr(item.span, name)):
            yield Hit(name, getattr(item.span, name).hex() or "empty")


@rule(
    "id-length-wrong",
    (SpanItem, EventItem),
    Level.ERROR,
    "spans",
    "a trace id or span id of the wrong length: the receiver refuses the whole request",
    "A trace id has 16 bytes, a span id 8; in OTLP JSON they are 32 and 16 hexadecimal digits, not base64.",
)
def id_length(item: SpanItem | EventItem) -> Iterable[Hit]:
    of = item.span if isinstance(item, SpanItem) else item.record
    ids = [("trace_id", of.trace_id, _TRACE_ID_BYTES), ("span_id", of.span_id, _SPAN_ID_BYTES)]
    if isinstance(item, SpanItem):
        ids.append(("parent_span_id", item.span.parent_span_id, _SPAN_ID_BYTES))
    for name, found, size in ids:
        if len(found) not in (0, size):
            yield Hit(name, found.hex(), f"{len(found)} bytes instead of {size}")


@rule(
    "span-ends-before-start",
    SpanItem,
    Level.ERROR,
    "spans",
    "a span that ends before it starts",
    "Take the duration from a monotonic clock: end = start + duration. The gateway makes such a span's duration 0.",
)
def ends_before_start(item: SpanItem) -> Iterable[Hit]:
    early_ns = item.span.start_time_unix_nano - item.span.end_time_unix_nano
    if early_ns > 0 and item.span.end_time_unix_nano:
        yield Hit("end_time_unix_nano", f"{early_ns / 1e6:.3f} ms before the start")


@rule(
    "span-kind",
    SpanItem,
    Level.NOTE,
    "spans",
    "an inference span of another kind than INTERNAL",
    "Use kind INTERNAL; SERVER and CLIENT spans around it are the application's own.",
)
def kind(item: SpanItem) -> Iterable[Hit]:
    if item.ours and item.span.kind != Span.SPAN_KIND_INTERNAL:
        yield Hit("kind", str(item.span.kind))


@rule(
    "span-status",
    SpanItem,
    Level.WARNING,
    "spans",
    "a span whose status contradicts its outcome",
    "Set status Error on failure, and leave it unset on success: samplers that keep errors look at the status.",
)
def status(item: SpanItem) -> Iterable[Hit]:
    outcome = item.attributes.get(c.OUTCOME)
    if item.ours and outcome in (c.SUCCESS, c.FAILURE):
        is_error = item.span.status.code == Status.STATUS_CODE_ERROR
        if is_error != (outcome == c.FAILURE):
            yield Hit("status", f"{outcome} with status {'Error' if is_error else 'unset or Ok'}")
