"""A gateway on a real port that can be down, up again, hang or refuse, and remembers what it took."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MESSAGES: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class Gateway:
    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.clocks: list[int] = []
        self.answers: list[int] = []
        """Statuses of the next requests; 200 when there are none."""
        self.refuses: Callable[[str, Any], bool] = lambda _path, _message: False
        self.hang = threading.Event()
        self.hang.set()
        self._server: Server | None = None
        self.up()
        assert self._server is not None
        self.port = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        self._server = Server(("127.0.0.1", getattr(self, "port", 0)), self._handler())
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, path: str, body: bytes, clock: str) -> int:
        self.hang.wait(20)
        self.clocks.append(int(clock))
        message = MESSAGES[path].FromString(gzip.decompress(body))
        status = 400 if self.refuses(path, message) else self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.taken.append((path, message))
        return status

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(answer(self.path, body, self.headers["x-edge-clock-unix-nano"]))
                self.send_header("Content-Length", "0")
                self.send_header("Retry-After", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def logs(self, name: str) -> list[dict[str, Any]]:
        """Attributes of all log records of an event name, in the order of arrival."""
        return [values(record.attributes) for record in self._logs() if record.event_name == name]

    def ids(self) -> list[str]:
        return [record["edge.prediction.id"] for record in self.logs("edge.prediction")]

    def span_ids(self) -> list[bytes]:
        return [
            span.span_id
            for path, message in list(self.taken)
            if path == "/v1/traces"
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def counts(self, name: str) -> dict[tuple[str, str], int]:
        """Last value by process and outcome or drop reason, in the order in which the processes were first heard."""
        found: dict[tuple[str, str], int] = {}
        for path, message in list(self.taken):
            for resource in message.resource_metrics if path == "/v1/metrics" else ():
                process = values(resource.resource.attributes)["service.instance.id"]
                metrics = (metric for scope in resource.scope_metrics for metric in scope.metrics)
                for point in (point for metric in metrics if metric.name == name for point in metric.sum.data_points):
                    own = values(point.attributes)
                    found[process, own.get("edge.drop.reason") or own["edge.inference.outcome"]] = point.as_int
        return found

    def _logs(self) -> list[Any]:
        return [
            record
            for path, message in list(self.taken)
            if path == "/v1/logs"
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


def values(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


def wait_for(true: Callable[[], object], seconds: float = 30.0) -> None:
    until_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.01)
