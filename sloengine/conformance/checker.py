"""Feeds what was received to the rules, and counts what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from sloengine.edge import contract as c
from sloengine.otlp import values
from sloengine.otlp.gateway import CLAMP_FUTURE_NS, CLAMP_PAST_NS

from . import about_events, about_items, about_metrics, about_names, about_requests, about_series, about_spans, expected
from .findings import RULES, WORST_FIRST, Finding, Hit, Place, Rule, printable
from .items import (
    NAMELESS,
    DeviceItem,
    EventItem,
    Item,
    MetricItem,
    PointItem,
    Sender,
    Sending,
    SessionItem,
    SpanItem,
)
from .memory import Memory, Series

FINDINGS_MAX = 500
MODULES = (about_requests, about_names, about_items, about_metrics, about_series, about_spans, about_events)
"""Importing them fills the table of rules."""


class Checker:
    """Findings over any number of requests, in bounded memory. Not for several threads at once."""

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self.received: Counter[str] = Counter()
        """requests, points, spans, records"""
        self._memory = Memory()
        self._ignored = frozenset(ignore)
        self._findings: dict[tuple[str, Place], Finding] = {}
        self._new: list[Finding] = []
        self._rules: dict[type, list[Rule]] = {}
        for entry in RULES.values():
            for kind in entry.on:
                self._rules.setdefault(kind, []).append(entry)

    def feed(self, signal: str, request: Any, sending: Sending) -> list[Finding]:
        """Check one export request. `signal` is traces, metrics or logs. Returns what was not known before."""
        self.received["requests"] += 1
        items_before = self._items()
        take = {"traces": self._traces, "metrics": self._metrics, "logs": self._logs}[signal]
        take(request, sending)
        if self._items() == items_before:
            self._say("request-empty", signal)
        return self._take_new()

    def refuse(self, rule_id: str, where: str, example: str = "", detail: str = "") -> list[Finding]:
        """A request that never became one: `rule_id` is a rule that was declared for it."""
        self.received["requests"] += 1
        self._say(rule_id, where, example, detail)
        return self._take_new()

    def finish(self) -> list[Finding]:
        """Everything found, worst first; rules that need the end of it included. Once, at the end."""
        for id, device in self._memory.devices.items():
            self._apply(DeviceItem(id, device))
        self._apply(SessionItem(self._memory, self._items(), self.received["requests"], self._memory.capped))
        self._take_new()
        return sorted(self._findings.values(), key=lambda f: (WORST_FIRST.index(f.rule.level), -f.count))

    @property
    def devices(self) -> list[str]:
        """Devices heard so far."""
        return sorted(self._memory.devices)

    def _items(self) -> int:
        return self.received.total() - self.received["requests"]

    def _take_new(self) -> list[Finding]:
        new, self._new = self._new, []
        return new

    def _traces(self, request: Any, sending: Sending) -> None:
        for part in request.resource_spans:
            sender = self._sender("traces", part.resource.attributes, sending)
            for scope in part.scope_spans:
                for span in scope.spans:
                    self.received["spans"] += 1
                    attributes = _texts(span.attributes)
                    item = SpanItem(sender, span, span.attributes, attributes, span.name == c.SPAN)
                    self._see_retry(item)
                    self._see(item)

    def _logs(self, request: Any, sending: Sending) -> None:
        for part in request.resource_logs:
            sender = self._sender("logs", part.resource.attributes, sending)
            for scope in part.scope_logs:
                for record in scope.log_records:
                    self.received["records"] += 1
                    attributes = _texts(record.attributes)
                    name = record.event_name or attributes.get("event.name", "")
                    self._see_record(EventItem(sender, record, record.attributes, attributes, name))

    def _see_record(self, item: EventItem) -> None:
        if item.name in expected.EVENTS_LIMITED:
            model = item.attributes.get(c.MODEL_NAME, "")
            self._memory.see_event(item.sender.memory, item.name, model, item.time_ns)
        self._see(item)

    def _metrics(self, request: Any, sending: Sending) -> None:
        for part in request.resource_metrics:
            metrics = [metric for scope in part.scope_metrics for metric in scope.metrics]
            names = frozenset(metric.name for metric in metrics)
            sender = self._sender("metrics", part.resource.attributes, sending, names)
            whose = _digest(sender.attributes)
            newest_ns = 0
            for metric in metrics:
                item = MetricItem(sender, metric, metric.WhichOneof("data") or "")
                newest_ns = max(newest_ns, self._metric(item, whose))
            if about_items.NANO_MIN <= newest_ns < 2**63:
                process = sender.attributes.get(expected.INSTANCE, "")
                self._memory.see_export(sender.memory, process, newest_ns)

    def _metric(self, item: MetricItem, whose: bytes) -> int:
        """Check a metric and its points; the newest point's time."""
        if item.name in expected.KINDS:
            item.sender.memory.metrics.add(item.name)
        self._apply(item)
        points = item.data.data_points if item.kind else ()
        for point in points:
            self.received["points"] += 1
            self._point(item, point, whose)
        return max((point.time_unix_nano for point in points), default=0)

    def _point(self, of: MetricItem, point: Any, whose: bytes) -> None:
        attributes = _texts(point.attributes)
        for key, text in attributes.items():
            self._memory.see_value(of.sender.memory, of.name, key, text)
        series = _digest(attributes, whose + of.name.encode())
        item = PointItem(of, point, point.attributes, attributes, _value(point), self._memory.series.get(series))
        self._see(item)
        self._remember(item, series)

    def _remember(self, item: PointItem, key: bytes) -> None:
        before, point = item.before, item.point
        if before and point.time_unix_nano <= before.time_ns:
            return
        moved = 0
        if before:
            self._see_gap(item, point.time_unix_nano - before.time_ns)
            moved = before.starts_moved + 1 if point.start_time_unix_nano != before.start_ns else 0
        self._memory.keep(key, Series(point.start_time_unix_nano, point.time_unix_nano, item.value, moved))
        if item.name in (c.REQUESTS, c.ATTEMPTS) and item.of.as_agreed and key in self._memory.series:
            totals = item.sender.memory.totals.setdefault(item.name, {})
            totals[key] = (point.time_unix_nano, item.value)

    def _see_gap(self, item: PointItem, gap_ns: int) -> None:
        memory = item.sender.memory
        memory.gap_ns_min = gap_ns if memory.gap_ns_min is None else min(gap_ns, memory.gap_ns_min)

    def _see_retry(self, item: SpanItem) -> None:
        attempts = item.attributes.get(c.ATTEMPTS_OF_SPAN, "")
        if item.ours and attempts.isdecimal() and attempts not in ("0", "1"):
            ended, memory = item.span.end_time_unix_nano, item.sender.memory
            memory.retry_ended_ns = ended if memory.retry_ended_ns is None else min(ended, memory.retry_ended_ns)

    def _sender(self, signal: str, pairs: Sequence[KeyValue], sending: Sending, names: Collection[str] = ()) -> Sender:
        attributes = _texts(pairs)
        id = printable(attributes.get(expected.DEVICE) or NAMELESS)
        device = self._memory.device(id)
        device.signals.add(signal)
        device.said_its_clock |= sending.sent_ns is not None
        if id != NAMELESS:
            self._memory.see_region(device, printable(attributes.get(expected.REGION, "")))
        sender = Sender(signal, pairs, attributes, sending, device, names)
        self._apply(sender)
        return sender

    def _see(self, item: Item) -> None:
        """Apply the rules, and keep how late it came."""
        self._apply(item)
        received, time = item.sender.sending.received_ns, about_items.happened_ns(item)
        if received is None or time < about_items.NANO_MIN:
            return
        lag, memory = received - time, item.sender.memory
        if -CLAMP_FUTURE_NS <= lag <= CLAMP_PAST_NS:
            memory.lag_ns_min = lag if memory.lag_ns_min is None else min(lag, memory.lag_ns_min)

    def _apply(self, item: Any) -> None:
        device = item.device if isinstance(item, Sender | DeviceItem | SessionItem) else item.sender.device
        for entry in self._rules.get(type(item), ()):
            for hit in _hits(entry, item):
                self._count(entry, hit, item.signal, item.name, device)

    def _say(self, rule_id: str, where: str, example: str = "", detail: str = "") -> None:
        self._count(RULES[rule_id], Hit(example=example, detail=detail), where, "", "")

    def _count(self, entry: Rule, hit: Hit, signal: str, name: str, device: str) -> None:
        if entry.id in self._ignored:
            return
        place = Place(signal, printable(hit.name or name), printable(hit.attribute))
        found = self._findings.get((entry.id, place))
        if found is None:
            if len(self._findings) >= FINDINGS_MAX and entry.id != "limit-reached":
                self._memory.capped.add(f"{FINDINGS_MAX} findings")
                return
            found = Finding(entry, place, printable(hit.example), printable(hit.detail))
            self._findings[entry.id, place] = found
            self._new.append(found)
        found.add(printable(device))


def _hits(entry: Rule, item: Any) -> Iterable[Hit]:
    return entry.check(item) if entry.check else ()


def _digest(attributes: Mapping[str, str], of: bytes = b"") -> bytes:
    """Sixteen bytes that stand for these attributes (of something)."""
    return blake2b(of + repr(sorted(attributes.items())).encode(errors="replace"), digest_size=16).digest()


def _texts(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as text, as the gateway stores them, but neither cut nor masked; of two with one key the first."""
    texts: dict[str, str] = {}
    for pair in pairs:
        if pair.key not in texts:
            texts[pair.key] = values.as_string(pair.value)
    return texts


def _value(point: Any) -> float:
    if hasattr(point, "as_double"):
        return float(point.as_int) if point.WhichOneof("value") == "as_int" else float(point.as_double)
    return float(point.count)
