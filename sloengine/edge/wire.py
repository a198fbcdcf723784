"""OTLP over HTTP: the SDK's exporters, with the device's clock on each request, and with bodies to and from a disk.

All of it goes through the exporters' public `session` parameter: what stands there sees each request of an exporter, each
repetition too. So a body can be stamped, taken down instead of sent, or replaced by one that was taken down before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from os import environ
from time import time_ns
from typing import Any, NamedTuple

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from . import contract
from .disk import Signal

_CREDENTIALS = "opentelemetry_otlp_credential_provider"
_PATHS: dict[Signal, str] = {"spans": "traces", "metrics": "metrics", "logs": "logs"}


class Exporters(NamedTuple):
    """Where a node's telemetry goes; OTLP over HTTP unless a test or a simulator says otherwise."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter

    def shutdown(self) -> None:
        for exporter in self:
            exporter.shutdown()

    def send(self, signal: Signal, batch: Any) -> bool:
        """Export `batch` (for metrics, a `MetricsData`); whether it was taken."""
        if signal == "metrics":
            return self.metrics.export(batch) is MetricExportResult.SUCCESS
        if signal == "spans":
            return self.spans.export(batch) is SpanExportResult.SUCCESS
        return self.logs.export(batch) is LogRecordExportResult.SUCCESS

    def send_body(self, signal: Signal, body: bytes) -> bool:
        """Send an export request as it was taken down before; only OTLP over HTTP can."""
        return False


class OverHttp(Exporters):
    """Exporters whose sessions are ours."""

    sessions: dict[Signal, Session]

    def send_body(self, signal: Signal, body: bytes) -> bool:
        session = self.sessions[signal]
        session.body = body
        try:
            return self.send(signal, MetricsData([]) if signal == "metrics" else [])
        finally:
            session.body = None


class Session:
    """The HTTP session of one exporter: stamps each request with the clock of the device."""

    def __init__(self, signal: Signal) -> None:
        self._inner = _requests_session(signal)
        self.headers = self._inner.headers
        self.verify: bool | str = True
        self.cert: Any = None
        self.body: bytes | None = None
        """Goes instead of what the exporter made."""

    def request(self, method: str, url: str, *, headers: Any = None, data: Any = None, **more: Any) -> Any:
        stamped = {**(headers or {}), contract.CLOCK_HEADER: str(time_ns())}
        body = data if self.body is None else self.body
        options = {"verify": self.verify, "cert": self.cert, **more}
        return self._inner.request(method, url, headers=stamped, data=body, **options)

    def post(self, url: str, **more: Any) -> Any:
        return self.request("POST", url, **more)

    def close(self) -> None:
        self._inner.close()


def _requests_session(signal: Signal) -> Any:
    """A session of the exporters' own HTTP library; where OpenTelemetry's credential provider is set, the one it gives."""
    prefix = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_"
    names = (f"{prefix}CREDENTIAL_PROVIDER", f"{prefix}{_PATHS[signal].upper()}_CREDENTIAL_PROVIDER")
    wanted = next((environ[name] for name in names if environ.get(name)), None)
    if wanted is not None:
        for provider in metadata.entry_points(group=_CREDENTIALS, name=wanted):
            return provider.load()()
    import requests  # here, because importing the library must stay cheap

    return requests.Session()


class Notebook:
    """A session that sends nothing and keeps the last body."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.verify: bool | str = True
        self.cert: Any = None
        self.body: bytes | None = None

    def request(self, method: str, url: str, *, data: bytes, **more: Any) -> Any:
        self.body = data
        return _Taken()

    def post(self, url: str, **more: Any) -> Any:
        return self.request("POST", url, **more)

    def close(self) -> None:
        """Nothing is open."""


class _Taken:
    """As much of a response as the exporters look at."""

    ok = True
    status_code = 200
    reason = text = ""
    content = b""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


class Encoder:
    """Makes the bodies of export requests without sending them."""

    def __init__(self) -> None:
        self._notes: dict[Signal, Notebook] = {signal: Notebook() for signal in _PATHS}
        self._exporters = Exporters(*_exporters(None, {}, 10.0, self._notes))

    def body(self, signal: Signal, batch: Sequence[Any] | MetricsData) -> bytes | None:
        """As `OverHttp.send_body` takes it; None for a batch that can't be expressed."""
        notes = self._notes[signal]
        notes.body = None
        return notes.body if self._exporters.send(signal, batch) else None


def otlp(endpoint: str | None, headers: dict[str, str], timeout_s: float) -> OverHttp:
    """OTLP/HTTP exporters, gzip; `endpoint` without a signal's path, None for OpenTelemetry's environment variables."""
    sessions = {signal: Session(signal) for signal in _PATHS}
    over_http = OverHttp(*_exporters(endpoint, headers, timeout_s, sessions))
    over_http.sessions = sessions
    return over_http


def _exporters(
    endpoint: str | None, headers: dict[str, str], timeout_s: float, sessions: dict[Signal, Any]
) -> tuple[SpanExporter, MetricExporter, LogRecordExporter]:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def settings(signal: Signal) -> dict[str, Any]:
        return {
            "endpoint": f"{endpoint.rstrip('/')}/v1/{_PATHS[signal]}" if endpoint else None,
            "headers": headers,
            "timeout": timeout_s,
            "compression": Compression.Gzip,
            "session": sessions[signal],
        }

    return (
        OTLPSpanExporter(**settings("spans")),
        OTLPMetricExporter(**settings("metrics")),
        OTLPLogExporter(**settings("logs")),
    )
