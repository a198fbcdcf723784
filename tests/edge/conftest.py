"""A node whose telemetry stays in memory, and readers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sloengine import edge


class KeepMetrics(MetricExporter):
    """Keeps the last export; cumulative, so it holds everything."""

    def __init__(self) -> None:
        super().__init__()
        self.last: MetricsData | None = None

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        self.last = metrics_data
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        pass


class Device:
    """A node and what it has exported."""

    def __init__(self, **settings: Any) -> None:
        self.spans_out, self.metrics_out = InMemorySpanExporter(), KeepMetrics()
        self.logs_out = InMemoryLogRecordExporter()
        self.exporters = edge.Exporters(self.spans_out, self.metrics_out, self.logs_out)
        given = {"service": "digits", "device": "eu-1", "region": "eu", "span_ratio": 1.0, "export_interval_s": 3600}
        self.node = edge.Node(**{**given, "exporters": lambda: self.exporters, **settings})

    def metrics(self) -> dict[str, Any]:
        """Metric by name, exported now."""
        assert self.node.flush(10)
        data = self.metrics_out.last
        assert data is not None
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name: str) -> list[Any]:
        metrics = self.metrics()
        return list(metrics[name].data.data_points) if name in metrics else []

    def counts(self, name: str, *keys: str) -> dict[Any, int]:
        """Value by the attributes `keys`, without the zeros; a bare value for one key."""
        found = {}
        for point in self.points(name):
            key = tuple(point.attributes.get(key) for key in keys)
            if point.value:
                found[key[0] if len(key) == 1 else key] = point.value
        return found

    def dropped(self) -> dict[str, int]:
        self.node.flush(10)  # a gauge's refusal is counted after the counts of its own export were read
        return self.counts("edge.telemetry.dropped", "edge.drop.reason")

    def outcomes(self, name: str) -> dict[str, int]:
        return self.counts(name, "edge.inference.outcome")

    def spans(self) -> list[ReadableSpan]:
        assert self.node.flush(10)
        return list(self.spans_out.get_finished_spans())

    def events(self) -> list[Any]:
        assert self.node.flush(10)
        return [log.log_record for log in self.logs_out.get_finished_logs()]


@pytest.fixture
def make_device() -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(**settings: Any) -> Device:
        made.append(Device(**settings))
        return made[-1]

    yield make
    for device in made:
        device.node.close(10)


@pytest.fixture
def device(make_device: Callable[..., Device]) -> Device:
    return make_device()


@pytest.fixture
def model(device: Device) -> edge.Model:
    return device.node.model("digits", version="1")
