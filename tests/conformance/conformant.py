"""A device's telemetry as the contract wants it, and handles to break one thing in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from sloengine.conformance import Checker, Finding
from sloengine.conformance.items import Sending

S = 1_000_000_000
T0 = 1_777_863_721 * S
CUMULATIVE: Any = 2
RESOURCE = {
    "service.name": "digits",
    "service.instance.id": "p1",
    "device.id": "eu-north-007",
    "edge.region": "eu-north",
    "service.version": "1.4.0",
    "edge.hardware": "jetson-orin",
}
MODEL = {"edge.model.name": "digits", "edge.model.version": "7", "edge.rollout.id": "r-42"}
OK, FAILED = {"edge.inference.outcome": "success"}, {"edge.inference.outcome": "failure", "error.type": "timeout"}
BOUNDS = [i / 20 for i in range(1, 20)]
PREDICTION_ID = "p-2"
"""Its SHA-256 begins with b97db4a9f43296."""


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    out = []
    for key, value in attributes.items():
        pair = KeyValue(key=key)
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(pair.value, kind, value)
        out.append(pair)
    return out


def _counter(name: str, unit: str, at: int, series: list[tuple[dict[str, str], int]]) -> Metric:
    metric = Metric(name=name, unit=unit)
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = CUMULATIVE, True
    for attributes, value in series:
        metric.sum.data_points.add(
            attributes=pairs(attributes), start_time_unix_nano=T0, time_unix_nano=at, as_int=value
        )
    return metric


def _gauge(name: str, at: int, value: float, attributes: dict[str, str]) -> Metric:
    metric = Metric(name=name, unit="1")
    metric.gauge.data_points.add(attributes=pairs(attributes), time_unix_nano=at, as_double=value)
    return metric


def _duration(at: int, count: int) -> Metric:
    metric = Metric(name="edge.inference.duration", unit="s")
    metric.exponential_histogram.aggregation_temporality = CUMULATIVE
    point = metric.exponential_histogram.data_points.add(
        attributes=pairs(MODEL | OK), start_time_unix_nano=T0, time_unix_nano=at, count=count, scale=6, sum=0.05 * count
    )
    point.positive.offset = -277  # 2^(-277/64) s is 50 ms
    point.positive.bucket_counts.extend([count])
    return metric


def _score(at: int, count: int) -> Metric:
    metric = Metric(name="edge.inference.score", unit="1")
    metric.histogram.aggregation_temporality = CUMULATIVE
    counts = [0] * 18 + [count, 0]
    metric.histogram.data_points.add(
        attributes=pairs(MODEL | {"edge.inference.label": "7"}),
        start_time_unix_nano=T0,
        time_unix_nano=at,
        count=count,
        sum=0.93 * count,
        min=0.93,
        max=0.93,
        bucket_counts=counts,
        explicit_bounds=BOUNDS,
    )
    return metric


def metrics(at: int, requests: int, failures: int, retries: int) -> ExportMetricsServiceRequest:
    attempts = [(MODEL | OK, requests), (MODEL | {"edge.inference.outcome": "failure"}, failures + retries)]
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add()
    part.resource.attributes.extend(pairs(RESOURCE))
    part.scope_metrics.add().metrics.extend(
        [
            _counter("edge.inference.requests", "{request}", at, [(MODEL | OK, requests), (MODEL | FAILED, failures)]),
            _counter("edge.inference.attempts", "{attempt}", at, attempts),
            _counter("edge.inference.cold_starts", "{request}", at, [(MODEL, 0)]),
            _counter("edge.model.loads", "{load}", at, [(MODEL | OK, 1)]),
            _counter("edge.model.integrity_checks", "{check}", at, [(MODEL | {"edge.integrity.result": "ok"}, 1)]),
            _counter("edge.data.raw", "By", at, [(MODEL, 1000 * requests)]),
            _counter("edge.telemetry.dropped", "{item}", at, [({"edge.drop.reason": "queue_full"}, 0)]),
            _duration(at, requests),
            _score(at, requests),
            _gauge("system.cpu.utilization", at, 0.4, {}),
            _gauge("edge.power.state", at, 1, {"edge.power.state": "normal"}),
        ]
    )
    return request


def traces() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    part.resource.attributes.extend(pairs(RESOURCE))
    spans = part.scope_spans.add().spans
    for number, (outcome, attempts) in enumerate([(OK, 2), (FAILED, 1)], 1):
        about = {"edge.inference.attempts": attempts, "edge.inference.cold_start": False}
        span = spans.add(
            trace_id=bytes([number]) * 9 + b"\xff" * 7,
            span_id=bytes([number]) * 8,
            trace_state="ot=th:8",
            name="edge.inference",
            kind=1,
            start_time_unix_nano=T0 + 2 * S,
            end_time_unix_nano=T0 + 2 * S + 50_000_000,
            attributes=pairs(MODEL | outcome | about | {"edge.inference.score": 0.4532015112830366}),
        )
        if outcome is FAILED:
            span.status.code = 2
    return request


EVENTS: list[tuple[str, int, dict[str, Any]]] = [
    ("edge.model.loaded", 9, MODEL | {"edge.model.load_duration_s": 1.8}),
    ("edge.model.load_failed", 17, MODEL | {"error.type": "oom"}),
    ("edge.model.integrity_failed", 17, MODEL | {"artifact.hash": "9f" * 32}),
    ("edge.inference.failed", 13, MODEL | {"error.type": "timeout", "edge.inference.attempts": 1}),
    (
        "edge.prediction",
        9,
        MODEL
        | {"edge.prediction.id": PREDICTION_ID, "edge.inference.score": 0.93, "edge.inference.label": "7"}
        | {"edge.sampling.threshold": "8", "edge.segment.camera": "front"},
    ),
    (
        "edge.label",
        9,
        MODEL | {"edge.prediction.id": PREDICTION_ID, "edge.label.truth": "7", "edge.label.source": "human"},
    ),
    ("edge.update", 9, {"edge.rollout.id": "r-42", "edge.update.status": "succeeded"}),
]


def logs() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    part = request.resource_logs.add()
    part.resource.attributes.extend(pairs(RESOURCE))
    records = part.scope_logs.add().log_records
    for name, severity, attributes in EVENTS:
        facts = {"event.name": name, **attributes}
        record = records.add(
            event_name=name, severity_number=severity, time_unix_nano=T0 + 2 * S, attributes=pairs(facts)
        )
        if name not in ("edge.prediction", "edge.label"):
            record.body.string_value = json.dumps(facts)
    return request


AT_THE_DOOR = {
    *("request-unreadable", "request-wrong-path", "request-wrong-type", "request-too-big", "request-not-http"),
}
"""Rules that test_conformance_listen.py breaks, over HTTP."""


class Payload:
    """Two exports of metrics, ten seconds apart, then spans and events."""

    def __init__(self) -> None:
        times = [T0 + 1 * S, T0 + 11 * S, T0 + 12 * S, T0 + 12 * S]
        requests = [metrics(T0 + 1 * S, 0, 0, 0), metrics(T0 + 11 * S, 20, 2, 3), traces(), logs()]
        signals = ["metrics", "metrics", "traces", "logs"]
        self.sent: list[tuple[str, Any, Sending]] = [
            (signal, request, Sending(received_ns=at + 300_000_000, sent_ns=at + 250_000_000))
            for signal, request, at in zip(signals, requests, times, strict=True)
        ]

    def requests(self, signal: str) -> list[Any]:
        return [request for kind, request, _ in self.sent if kind == signal]

    def resources(self) -> Iterator[Any]:
        for signal, field in (("metrics", "resource_metrics"), ("traces", "resource_spans"), ("logs", "resource_logs")):
            for request in self.requests(signal):
                yield from (part.resource for part in getattr(request, field))

    def metrics(self, name: str) -> list[Metric]:
        found = [m for r in self.requests("metrics") for m in r.resource_metrics[0].scope_metrics[0].metrics]
        return [m for m in found if m.name == name]

    def points(self, name: str) -> list[Any]:
        return [p for m in self.metrics(name) for p in getattr(m, str(m.WhichOneof("data"))).data_points]

    @property
    def spans(self) -> Any:
        return self.requests("traces")[0].resource_spans[0].scope_spans[0].spans

    @property
    def records(self) -> Any:
        return self.requests("logs")[0].resource_logs[0].scope_logs[0].log_records

    def event(self, name: str) -> Any:
        return next(r for r in self.records if r.event_name == name)

    def items(self, signal: str) -> list[Any]:
        """Everything about a model in a signal."""
        if signal == "metrics":
            return [p for m in (KINDS_WITH_MODEL) for p in self.points(m)]
        return list(self.spans) if signal == "traces" else list(self.records)

    def drop(self, signal: str) -> None:
        self.sent = [sent for sent in self.sent if sent[0] != signal]

    def resend(self, **change: Any) -> None:
        self.sent = [(signal, request, replace(sending, **change)) for signal, request, sending in self.sent]


KINDS_WITH_MODEL = (
    *("edge.inference.requests", "edge.inference.attempts", "edge.inference.duration", "edge.inference.score"),
    *("edge.inference.cold_starts", "edge.model.loads", "edge.model.integrity_checks", "edge.data.raw"),
)


def put(item: Any, key: str, value: Any) -> None:
    """Set an attribute; None takes it away."""
    kept = [pair for pair in item.attributes if pair.key != key]
    del item.attributes[:]
    item.attributes.extend([*kept, *(pairs({key: value}) if value is not None else [])])


def rename(item: Any, key: str, other: str) -> None:
    for pair in item.attributes:
        if pair.key == key:
            pair.key = other


def check(payload: Payload, **options: Any) -> list[Finding]:
    checker = Checker(**options)
    for signal, request, sending in payload.sent:
        checker.feed(signal, request, sending)
    return checker.finish()
