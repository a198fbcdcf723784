"""The gateway's own machine, Kubernetes attributes and devices that count nothing themselves, through the full gateway."""

import itertools
import time
from pathlib import Path

import pytest
from collector_running import FullGateway, wait_for
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

pytestmark = pytest.mark.collector
KUBERNETES = {
    "k8s.cluster.name": "edge-eu-north-1",
    "k8s.namespace.name": "vision",
    "k8s.node.name": "ip-10-0-4-17.eu-north-1.compute.internal",
    "k8s.pod.name": "digits-7d9f8b6c5d-x2x4q",
    "k8s.deployment.name": "digits",
}


def texts(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


HOST = (
    "SELECT MetricName AS name, Value AS value, toString(Attributes) AS a, DeviceId AS device, GatewayId AS gateway,"
    " ResourceAttributes['edge.node.kind'] AS kind, ServiceName AS service"
    " FROM {table} WHERE MetricName LIKE 'system.%'"
)


def test_the_gateways_own_machine_is_measured_as_a_node_of_its_own_kind(store, full_database, full_gateway) -> None:
    gauges, sums = (HOST.format(table=f"otel_metrics_{kind}") for kind in ("gauge", "sum"))
    last = "system.filesystem.utilization"
    wait_for(lambda: any(row["name"] == last for row in store.rows(gauges, full_database)))
    wait_for(lambda: any(row["name"] == "system.cpu.utilization" for row in store.rows(gauges, full_database)))
    rows = store.rows(gauges, full_database) + store.rows(sums, full_database)
    assert {(row["device"], row["gateway"], row["kind"], row["service"]) for row in rows} == {
        ("gw-full", "gw-full", "gateway", "sloengine.gateway")
    }
    assert {row["name"] for row in rows} >= {
        "system.cpu.utilization",
        "system.cpu.time",
        "system.memory.utilization",
        "system.memory.usage",
        "system.cpu.load_average.1m",
        "system.disk.io",
        "system.filesystem.usage",
        "system.network.io",
    }


@pytest.mark.parametrize("name", ["system.cpu.utilization", "system.memory.utilization"])
def test_utilizations_are_one_number_per_node_as_the_contract_says(store, full_database, full_gateway, name) -> None:
    points = f"SELECT Value AS v, Attributes AS a, TimeUnix AS t FROM otel_metrics_gauge WHERE MetricName = '{name}'"
    assert wait_for(lambda: len(store.rows(points, full_database)) > 1)
    rows = store.rows(points, full_database)
    assert len({row["t"] for row in rows}) == len(rows)
    assert all(row["a"] == {} and 0 <= row["v"] <= 1 for row in rows), rows


def test_cpu_utilization_is_the_share_of_time_that_was_neither_idle_nor_waiting(
    store, full_database, full_gateway
) -> None:
    """Against the counters of seconds by state, which arrive beside it."""
    seconds = (
        "SELECT TimeUnix AS t, sumIf(Value, Attributes['state'] IN ('idle', 'wait')) AS unused, sum(Value) AS whole"
        " FROM otel_metrics_sum WHERE MetricName = 'system.cpu.time' GROUP BY t ORDER BY t"
    )
    used = "SELECT TimeUnix AS t, Value AS v FROM otel_metrics_gauge WHERE MetricName = 'system.cpu.utilization'"
    assert wait_for(lambda: len(store.rows(seconds, full_database)) > 2)
    times = store.rows(seconds, full_database)
    found = {row["t"]: row["v"] for row in store.rows(used, full_database)}
    expected = {
        later["t"]: 1 - (later["unused"] - earlier["unused"]) / (later["whole"] - earlier["whole"])
        for earlier, later in itertools.pairwise(times)
    }
    both = found.keys() & expected.keys()
    assert both
    # The receiver averages over CPUs; ticks are 10 ms.
    assert {t: found[t] for t in both} == pytest.approx({t: expected[t] for t in both}, abs=0.02)


def test_memory_utilization_is_the_kernels_own(store, full_database, full_gateway) -> None:
    points = "SELECT Value AS v FROM otel_metrics_gauge WHERE MetricName = 'system.memory.utilization'"
    point = f"{points} ORDER BY TimeUnix DESC LIMIT 1"
    assert wait_for(lambda: store.rows(point, full_database))
    lines = Path("/proc/meminfo").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    assert store.value(point, full_database) == pytest.approx(1 - kib["MemAvailable"] / kib["MemTotal"], abs=0.1)


def test_kubernetes_attributes_pass_untouched_with_every_signal(store, full_database, full_gateway) -> None:
    now, resource = time.time_ns(), texts({"service.name": "in-kubernetes", **KUBERNETES})
    traces, metrics, logs = ExportTraceServiceRequest(), ExportMetricsServiceRequest(), ExportLogsServiceRequest()
    spans = traces.resource_spans.add()
    spans.resource.attributes.extend(resource)
    spans.scope_spans.add().spans.add(name="s", start_time_unix_nano=now, end_time_unix_nano=now + 1)
    points = metrics.resource_metrics.add()
    points.resource.attributes.extend(resource)
    points.scope_metrics.add().metrics.add(name="g").gauge.data_points.add(as_double=1, time_unix_nano=now)
    records = logs.resource_logs.add()
    records.resource.attributes.extend(resource)
    records.scope_logs.add().log_records.add(time_unix_nano=now)
    for kind, request in {"traces": traces, "metrics": metrics, "logs": logs}.items():
        assert full_gateway.send(kind, request).status_code == 200
    for table in ("otel_traces", "otel_metrics_gauge", "otel_logs"):
        query = f"SELECT ResourceAttributes AS r FROM {table} WHERE ServiceName = 'in-kubernetes'"
        (row,) = wait_for(lambda query=query: store.rows(query, full_database))
        assert {key: row["r"].get(key) for key in KUBERNETES} == KUBERNETES


def test_a_device_cannot_pass_for_a_gateway_or_for_a_derived_metric(store, full_database, full_gateway) -> None:
    request = ExportMetricsServiceRequest()
    points = request.resource_metrics.add()
    points.resource.attributes.extend(
        texts({"service.name": "liar", "edge.node.kind": "gateway", "edge.metrics.source": "spans"})
    )
    points.scope_metrics.add().metrics.add(name="g").gauge.data_points.add(as_double=1, time_unix_nano=time.time_ns())
    assert full_gateway.send("metrics", request).status_code == 200
    query = "SELECT ResourceAttributes AS r FROM otel_metrics_gauge WHERE ServiceName = 'liar'"
    (row,) = wait_for(lambda: store.rows(query, full_database))
    assert row["r"].keys() == {"service.name", "edge.gateway.id", "edge.gateway.received_unix_nano"}


def foreign_spans() -> ExportTraceServiceRequest:
    """A device with a plain OpenTelemetry SDK: 30 requests, 10 of them failed, half of them sampled at 1 in 4 and saying so."""
    request, now = ExportTraceServiceRequest(), time.time_ns()
    spans = request.resource_spans.add()
    spans.resource.attributes.extend(texts({"service.name": "turnstile", "device.id": "d-9", "edge.region": "eu"}))
    scope = spans.scope_spans.add()
    scope.scope.name = "io.opentelemetry.http"
    for number in range(30):
        span = scope.spans.add(
            name="GET /open",
            kind=2,
            trace_id=number.to_bytes(8) + b"\xff" * 8,
            span_id=number.to_bytes(8),
            start_time_unix_nano=now,
            end_time_unix_nano=now + 250_000_000,
            trace_state="ot=th:c" if number % 2 else "",
        )
        span.status.code = 2 if number < 10 else 0
    return request


def native_spans() -> ExportTraceServiceRequest:
    """Devices with metrics of their own: one that says so by its scope, one by the model on its spans."""
    request, now = ExportTraceServiceRequest(), time.time_ns()
    for scope_name, model in (("sloengine.edge", None), ("rust.device", "digits")):
        spans = request.resource_spans.add()
        spans.resource.attributes.extend(texts({"service.name": "instrumented"}))
        scope = spans.scope_spans.add()
        scope.scope.name = scope_name
        span = scope.spans.add(name="edge.inference", start_time_unix_nano=now, end_time_unix_nano=now + 1)
        span.attributes.extend(texts({"edge.model.name": model} if model else {}))
    return request


def test_spans_of_foreign_devices_become_metrics_that_say_so(store, full_database, full_gateway: FullGateway) -> None:
    assert full_gateway.send("traces", native_spans()).status_code == 200
    assert full_gateway.send("traces", foreign_spans()).status_code == 200
    calls = (
        "SELECT Attributes['status.code'] AS status, Attributes['sampling.method'] AS method, sum(Value) AS n,"
        " any(Attributes['edge.sampling.threshold']) AS threshold,"
        " any(ServiceName) AS service, any(DeviceId) AS device, any(Region) AS region, any(GatewayId) AS gateway,"
        " any(ResourceAttributes['edge.metrics.source']) AS source, any(AggregationTemporality) AS temporality"
        " FROM otel_metrics_sum WHERE MetricName = 'traces.span.metrics.calls' AND ServiceName IN ('turnstile', 'instrumented')"
        " GROUP BY ALL ORDER BY ALL"
    )
    assert wait_for(lambda: len(store.rows(calls, full_database)) == 4), full_gateway.log[-2000:]
    rows = store.rows(calls, full_database)
    # A span with a threshold stands for four.
    assert {(row["status"], row["method"]): row["n"] for row in rows} == {
        ("STATUS_CODE_ERROR", "counted"): 5,
        ("STATUS_CODE_ERROR", "extrapolated"): 20,
        ("STATUS_CODE_UNSET", "counted"): 10,
        ("STATUS_CODE_UNSET", "extrapolated"): 40,
    }
    assert {tuple(row[key] for key in ("service", "device", "region", "gateway", "source")) for row in rows} == {
        ("turnstile", "d-9", "eu", "gw-full", "spans")
    }
    assert {row["temporality"] for row in rows} == {1}
    assert {(row["method"], row["threshold"]) for row in rows} == {("counted", ""), ("extrapolated", "c")}
    durations = (
        "SELECT sum(Count) AS n, round(sum(Sum), 6) AS s, any(MetricUnit) AS unit FROM otel_metrics_exponential_histogram"
        " WHERE MetricName = 'traces.span.metrics.duration' AND ServiceName = 'turnstile'"
    )
    assert store.rows(durations, full_database) == [{"n": 75, "s": 18.75, "unit": "s"}]
    # The spans themselves are stored too, all of them.
    assert (
        store.value("SELECT uniqExact(SpanId) AS n FROM otel_traces WHERE ServiceName = 'turnstile'", full_database)
        == 30
    )
