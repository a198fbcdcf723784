"""Collectors that refuse, hang or misbehave cost the application nothing and telemetry as little as possible."""

from __future__ import annotations

import http.server
import multiprocessing
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from sloengine import edge


@pytest.fixture
def refusing() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def hanging() -> Iterator[str]:
    """Accepts connections (in the backlog) and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def node_at(endpoint: str, **settings: object) -> edge.Node:
    return edge.Node("digits", "eu-1", "eu", endpoint=endpoint, span_ratio=1, export_interval_s=0.05, **settings)


@pytest.mark.parametrize("endpoint", ["refusing", "hanging"])
def test_close_keeps_its_timeout_when_nothing_answers(endpoint, request):
    node = node_at(request.getfixturevalue(endpoint))
    model = node.model("digits", version="1")
    slowest_s = 0.0
    for _ in range(50):
        before_s = time.perf_counter()
        with model.inference():
            pass
        slowest_s = max(slowest_s, time.perf_counter() - before_s)
    assert slowest_s < 1
    for act in (node.flush, node.close):
        before_s = time.perf_counter()
        assert act(0.3) is False
        assert time.perf_counter() - before_s < 1.3
    with model.inference() as call:
        call.score(0.5)  # after close: quietly nothing
    assert node.close(0.1) is False


def run(script: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    before_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done, time.perf_counter() - before_s


@pytest.mark.parametrize("endpoint", ["refusing", "hanging"])
def test_a_program_that_forgets_to_close_ends_soon_and_says_one_line_at_most(endpoint, request):
    script = """
        import sys
        from sloengine import edge
        for i in range(10):
            node = edge.Node("digits", f"eu-{i}", "eu", endpoint=sys.argv[1], export_interval_s=0.01)
            with node.model("digits", version="1").inference():
                pass
        print("worked")
    """
    done, seconds = run(script, request.getfixturevalue(endpoint))
    assert (done.returncode, done.stdout) == (0, "worked\n")
    assert seconds < 8
    assert len(done.stderr.splitlines()) <= 10, done.stderr  # one per node


def test_the_applications_own_exporter_may_still_complain(refusing, caplog):
    import logging

    node = node_at(refusing)
    assert node.flush(0.2) is False
    node.close(0)
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    logger.warning("mine")
    assert [record.message for record in caplog.records if record.name.startswith("opentelemetry")] == ["mine"]


class Switch:
    """Exporters in memory that can be told to fail."""

    def __init__(self, device) -> None:
        self.down: set[str] = set()
        results = {"spans": SpanExportResult, "metrics": MetricExportResult, "logs": LogRecordExportResult}
        for signal, result in results.items():
            exporter = getattr(device.exporters, signal)
            exporter.export = self.switched(signal, exporter.export, result.FAILURE)

    def switched(self, signal, export, failure):
        def call(batch, *rest, **named):
            if signal in self.down:
                return failure
            if f"{signal} raises" in self.down:
                raise OSError
            return export(batch, *rest, **named)

        return call


@pytest.mark.parametrize("how", [{"spans", "metrics", "logs"}, {"spans raises", "metrics raises", "logs raises"}])
def test_after_an_outage_everything_arrives(device, model, how):
    switch = Switch(device)
    switch.down = how
    for _ in range(5):
        with model.inference() as call:
            call.fail("Boom")
        assert device.node.flush(5) is False
    switch.down = set()
    assert len(device.spans()) == 5
    assert len(device.events()) == 5
    assert device.outcomes("edge.inference.requests") == {"failure": 5}
    assert device.dropped() == {}


def test_a_batch_that_alone_is_refused_makes_room_after_three_tries(device, model):
    switch = Switch(device)
    with model.inference():
        pass
    switch.down = {"spans"}
    for _ in range(3):
        assert device.node.flush(5) is False
    switch.down = set()
    assert device.spans() == []
    assert device.dropped() == {"export_refused": 1}


def test_sends_by_itself_every_interval(make_device):
    device = make_device(export_interval_s=0.02)
    with device.node.model("digits", version="1").inference():
        pass
    until_s = time.monotonic() + 5
    while not device.spans_out.get_finished_spans() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert device.spans_out.get_finished_spans()


def test_close_sends_what_is_left(make_device):
    device = make_device()
    with device.node.model("digits", version="1").inference():
        pass
    assert device.node.close(5) is True
    assert len(device.spans_out.get_finished_spans()) == 1
    assert device.metrics_out.last is not None


def test_counts_from_many_threads_are_all_there(device, model):
    def work() -> None:
        for _ in range(300):
            with model.inference() as call:
                call.attempt()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        device.node.flush(1)
    assert device.outcomes("edge.inference.requests") == {"success": 1800}
    assert device.outcomes("edge.inference.attempts") == {"success": 1800, "failure": 1800}
    assert sum(point.count for point in device.points("edge.inference.duration")) == 1800


def test_durations_are_exact_however_often_they_are_collected(device, model, monkeypatch):
    seeded = random.Random(7)
    now = [0.0]
    monkeypatch.setattr("sloengine.edge.inference.perf_counter", lambda: now[0])
    spent = []
    for i in range(400):
        with model.inference():
            spent.append(2.0 ** seeded.uniform(-10, 3))
            now[0] = spent[-1]
        now[0] = 0.0
        if i % 37 == 0:
            device.node.flush(5)
    monkeypatch.undo()
    (point,) = device.points("edge.inference.duration")
    buckets = {point.positive.offset + i: n for i, n in enumerate(point.positive.bucket_counts) if n}
    base = 2 ** (2**-point.scale)
    seen = 0
    for index, count in sorted(buckets.items()):
        inside = [x for x in spent if base**index * (1 - 1e-9) < x <= base ** (index + 1) * (1 + 1e-9)]
        assert abs(len(inside) - count) <= 1
        seen += count
    assert (point.scale, seen, point.count) == (5, 400, 400)  # 13 octaves · 64 > 640 buckets


def child_of_fork(model: edge.Model, device, out) -> None:
    with model.inference():
        pass
    out.put((device.outcomes("edge.inference.requests"), instance(device)))


def instance(device) -> str:
    return device.metrics_out.last.resource_metrics[0].resource.attributes["service.instance.id"]


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_counts_from_zero_under_another_identity(device, model):
    for _ in range(3):
        with model.inference():
            pass
    fork = multiprocessing.get_context("fork")
    out = fork.SimpleQueue()
    process = fork.Process(target=child_of_fork, args=(model, device, out))
    process.start()
    counted, identity = out.get()
    process.join(10)
    assert counted == {"success": 1}
    assert device.outcomes("edge.inference.requests") == {"success": 3}
    assert identity != instance(device)


def test_importing_loads_opentelemetry_and_the_standard_library_only():
    script = """
        import sys
        before = set(sys.modules)
        from sloengine import edge
        print(*sorted(set(sys.modules) - before))
    """
    done, _ = run(script)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    foreign = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names
    assert foreign <= {"opentelemetry", "sloengine", "typing_extensions"}
    ours = {name for name in loaded if name.startswith("sloengine")}
    assert all(name == "sloengine" or name.startswith("sloengine.edge") for name in ours)
    assert not any(name.startswith(("opentelemetry.exporter", "requests")) for name in loaded), (
        "the uplink's thread loads the exporters, not the import"
    )


def test_sending_loads_only_what_the_exporters_need(refusing):
    script = """
        import sys
        before = set(sys.modules)
        from sloengine import edge
        node = edge.Node("digits", "eu-1", "eu", endpoint=sys.argv[1])
        node.model("digits", version="1").loaded(1)
        node.close(1)
        print(*sorted(set(sys.modules) - before))
    """
    done, _ = run(script, refusing)
    foreign = {name.split(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names
    assert "opentelemetry" in foreign
    served = {
        "chdb",
        "clickhouse_connect",
        "fastapi",
        "httpx",
        "numpy",
        "pandas",
        "pydantic",
        "sqlalchemy",
        "structlog",
    }
    assert not foreign & served
    assert "sloengine.model" not in done.stdout.split()


def test_a_disabled_sdk_costs_nothing_and_breaks_nothing(monkeypatch, refusing):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    node = node_at(refusing)
    with node.model("digits", version="1").inference() as call:
        call.score(0.5)
        call.fail("Boom")
    assert node.close(5) is True


class Slow(http.server.BaseHTTPRequestHandler):
    """Says it is overloaded."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_overloaded_collector_is_given_up_at_the_timeout():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    node = node_at(f"http://127.0.0.1:{server.server_port}")
    before_s = time.perf_counter()
    assert node.close(0.5) is False
    assert time.perf_counter() - before_s < 1.5
    server.shutdown()
    server.server_close()
