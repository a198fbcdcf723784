"""What was acknowledged is stored: over a store that is away, a killed gateway and a full disk queue."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from collector_running import Gateway, Store, wait_for
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.collector
SPANS_PER_REQUEST = 50


def spans(first: int, count: int = SPANS_PER_REQUEST) -> ExportTraceServiceRequest:
    """Spans named s<number>, each with ids of its own."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    now = time.time_ns()
    for number in range(first, first + count):
        scope.spans.add(
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            name=f"s{number}",
            start_time_unix_nano=now,
            end_time_unix_nano=now + 1,
        )
    return request


def points(count: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="edge.inference.requests")
    for number in range(count):
        metric.sum.data_points.add(as_int=number, time_unix_nano=time.time_ns())
    return request


def records(count: int) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(count):
        scope.log_records.add(time_unix_nano=time.time_ns(), event_name=f"e{number}")
    return request


def stored(store: Store, what: str = "uniqExact(SpanId)", table: str = "otel_traces") -> int:
    return store.value(f"SELECT {what} AS n FROM {table}")


def test_a_store_that_is_away_and_a_gateway_killed_meanwhile_lose_nothing(own_store: Store, gateways) -> None:
    gateway: Gateway = gateways(own_store.url)
    gateway.start()
    sent = 0

    def send(requests: int) -> None:
        nonlocal sent
        for _ in range(requests):
            assert gateway.send("traces", spans(sent)).status_code == 200
            sent += SPANS_PER_REQUEST

    send(4)
    assert wait_for(lambda: stored(own_store) == sent)
    own_store.stop()
    send(6)
    assert gateway.send("metrics", points(30)).status_code == 200
    assert gateway.send("logs", records(30)).status_code == 200
    time.sleep(3)  # longer than a flush: batches are in the sender's hands, failing
    gateway.end(signal.SIGKILL)
    queues = {path.name for path in (gateway.directory / "buffer").iterdir()}
    assert queues >= {f"exporter_clickhouse__{kind}" for kind in ("traces", "metrics", "logs")}
    gateway.start()
    send(4)
    time.sleep(3)
    own_store.start()
    assert wait_for(lambda: stored(own_store) == sent, timeout_s=30), (stored(own_store), sent)
    names = (
        "SELECT count() AS spans, uniqExact(SpanName) AS names FROM (SELECT DISTINCT SpanId, SpanName FROM otel_traces)"
    )
    assert own_store.rows(names) == [{"spans": sent, "names": sent}]
    assert wait_for(lambda: stored(own_store, "uniqExact(Value)", "otel_metrics_sum") == 30)
    # The gateway started while the store was away, and so without the EventName column: the attribute has the name.
    assert wait_for(lambda: stored(own_store, "uniqExact(LogAttributes['event.name'])", "otel_logs") == 30)


def test_killed_in_the_middle_of_traffic_everything_acknowledged_is_stored(store, database, gateways) -> None:
    gateway: Gateway = gateways(store.url, database)
    gateway.start()
    acknowledged: list[int] = []

    def send(number: int) -> None:
        try:
            if gateway.send("traces", spans(number * SPANS_PER_REQUEST)).status_code == 200:
                acknowledged.append(number)
        except httpx.TransportError:
            pass

    with ThreadPoolExecutor(4) as pool:
        traffic = [pool.submit(send, number) for number in range(400)]
        wait_for(lambda: len(acknowledged) > 50, every_s=0.005)
        gateway.end(signal.SIGKILL)
        for request in traffic:
            request.cancel()
    assert 50 < len(acknowledged) < 400
    gateway.start()
    expected = {
        f"s{number * SPANS_PER_REQUEST + offset}" for number in acknowledged for offset in range(SPANS_PER_REQUEST)
    }

    def missing() -> set[str]:
        return expected - {row["SpanName"] for row in store.rows("SELECT DISTINCT SpanName FROM otel_traces", database)}

    wait_for(lambda: not missing())
    assert missing() == set()


def test_a_full_disk_queue_tells_devices_to_come_back(gateways) -> None:
    gateway: Gateway = gateways("http://127.0.0.1:9", SLOENGINE_BUFFER_BYTES="20000")
    gateway.start()
    answers = [gateway.send("traces", spans(0)).status_code for _ in range(10)]
    assert answers[0] == 200
    assert answers[-1] == 503
    counted = gateway.counters("otelcol_exporter_enqueue_failed_spans")
    assert sum(counted.values()) >= SPANS_PER_REQUEST
