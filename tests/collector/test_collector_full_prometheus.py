"""Both Prometheus ways into the full gateway, with real servers: 2.42 through /federate, 3 by remote write 2."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from collector_running import FullGateway, free_port, wait_for, within_three_tries

pytestmark = pytest.mark.collector
DEVICES = ("eu-001", "eu-002")
POINTS = "DeviceId AS device, GatewayId AS gateway, MetricName AS name, Value AS value, IsMonotonic AS monotonic"


class Exporter(ThreadingHTTPServer):
    """A site's exporter that speaks for two devices: a counter and a gauge of each. Counts one further each time it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Metrics)
        self.asked = 0
        self.devices = DEVICES


class Metrics(BaseHTTPRequestHandler):
    server: Exporter

    def do_GET(self) -> None:
        self.server.asked += 1
        lines = ["# TYPE camera_frames_total counter"]
        lines += [f'camera_frames_total{{device_id="{device}"}} {self.server.asked}' for device in self.server.devices]
        lines += ["# TYPE camera_load gauge"]
        lines += [f'camera_load{{device_id="{device}",edge_region="eu"}} 0.25' for device in self.server.devices]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    server = Exporter()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Prometheus:
    def __init__(self, binary: Path, directory: Path, exporter: Exporter, more: str = "", *flags: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.log = directory / "prometheus.log"
        config = directory / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n- job_name: cameras\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{exporter.server_address[1]}']}}]\n{more}"
        )
        listen = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={directory / 'data'}"]
        with self.log.open("wb") as log:
            command = [str(binary), f"--config.file={config}", *listen, *flags]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        assert wait_for(self.is_ready), self.log.read_text()[-2000:]

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


def scrapes(server: "Prometheus", exporter: Exporter) -> str:
    """What docs/gateway.md shows: a Prometheus through /federate, and an exporter directly."""
    return (
        "scrape_configs:\n- job_name: federate\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n  honor_labels: true\n"
        "  metrics_path: /federate\n  params: {'match[]': ['{job=\"cameras\"}']}\n"
        f"  static_configs: [{{targets: ['{server.url.removeprefix('http://')}']}}]\n"
        "- job_name: direct\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{exporter.server_address[1]}']}}]\n"
    )


def points(store, database: str, service: str) -> list[dict]:
    """The first points of both metrics, without Prometheus' own, by metric and device."""
    where = f"ServiceName = '{service}' AND MetricName LIKE 'camera%'"
    sums = store.rows(f"SELECT {POINTS}, AggregationTemporality AS t FROM otel_metrics_sum WHERE {where}", database)
    gauges = POINTS.replace("IsMonotonic", "false") + ", Region AS region"
    return sums + store.rows(f"SELECT {gauges} FROM otel_metrics_gauge WHERE {where}", database)


def assert_both_devices_arrived(found: list[dict], gateway: str) -> None:
    assert {(row["name"], row["device"]) for row in found} == {
        (name, device) for name in ("camera_frames_total", "camera_load") for device in DEVICES
    }
    assert {row["gateway"] for row in found} == {gateway}
    frames = [row for row in found if row["name"] == "camera_frames_total"]
    assert all(row["monotonic"] and row["t"] == 2 and row["value"] >= 1 for row in frames)
    load = [row for row in found if row["name"] == "camera_load"]
    assert {(row["value"], row["region"]) for row in load} == {(0.25, "eu")}


def assert_the_end_is_no_zero(store, database: str, gateway: FullGateway, exporter: Exporter, reason: str) -> None:
    """One device disappears: Prometheus marks its series as stale, and the mark is dropped and counted."""
    least = f"SELECT min(Value) AS n FROM otel_metrics_sum WHERE DeviceId = '{DEVICES[0]}'"
    assert wait_for(lambda: store.value(least, database) >= 1)
    dropped, label = "otelcol_processor_filter_datapoints_filtered", f'filter="filter/{reason}"'
    before = gateway.counters(dropped).get(label, 0)
    exporter.devices = DEVICES[1:]
    try:
        assert wait_for(lambda: gateway.counters(dropped).get(label, 0) > before)
    finally:
        exporter.devices = DEVICES
    assert store.value(least, database) >= 1


def remote_write(gateway: FullGateway, message: str) -> str:
    return (
        f"- url: http://{gateway.remote_write}/api/v1/write\n  protobuf_message: {message}\n"
        "  queue_config: {batch_send_deadline: 200ms}\n"
    )


@pytest.fixture(scope="module")
def sender(prometheus_3, full_gateway, exporter, tmp_path_factory) -> Iterator[Prometheus]:
    """A Prometheus that writes to the gateway twice, in both versions of the protocol."""
    messages = ("io.prometheus.write.v2.Request", "prometheus.WriteRequest")
    more = "remote_write:\n" + "".join(remote_write(full_gateway, message) for message in messages)
    directory = tmp_path_factory.mktemp("sender")
    server = Prometheus(prometheus_3, directory, exporter, more, "--enable-feature=metadata-wal-records")
    yield server
    server.end()


def test_a_prometheus_is_scraped_through_federate(
    store, database, gateways, prometheus_2, exporter, tmp_path, sender
) -> None:
    # `sender` only starts here, so that its first five seconds, in which a Prometheus sends nothing, pass meanwhile.
    gateway: FullGateway = gateways(store.url, database, kind=FullGateway, SLOENGINE_GATEWAY_ID="gw-scrape")
    server = Prometheus(prometheus_2, tmp_path, exporter)
    try:
        (gateway.scrapes / "site.yaml").write_text(scrapes(server, exporter))
        gateway.start()
        for service in ("cameras", "direct"):
            wanted = f"SELECT uniqExact(Value) > 1 FROM otel_metrics_sum WHERE ServiceName = '{service}'"
            assert wait_for(lambda wanted=wanted: store.value(wanted, database)), gateway.log[-3000:]
            assert_both_devices_arrived(points(store, database, service), "gw-scrape")
        assert_the_end_is_no_zero(store, database, gateway, exporter, "no_value")
    finally:
        server.end()
    # What was scraped can be told from what devices send.
    sources = (
        "SELECT DISTINCT ResourceAttributes['edge.metrics.source'] AS s FROM otel_metrics_gauge WHERE MetricName = 'up'"
    )
    assert store.rows(sources, database) == [{"s": "prometheus"}]


def test_a_prometheus_sends_remote_write_2(store, full_database, full_gateway, sender) -> None:
    wanted = f"SELECT uniqExact(Value) > 1 FROM otel_metrics_sum WHERE DeviceId = '{DEVICES[1]}'"
    assert wait_for(lambda: store.value(wanted, full_database)), (sender.log.read_text(), full_gateway.log[-3000:])
    assert_both_devices_arrived(points(store, full_database, "cameras"), "gw-full")


def test_remote_write_1_is_refused_for_good_and_in_words(full_gateway, sender) -> None:
    refused = "prometheus_remote_storage_samples_failed_total{.*} [1-9]"
    assert wait_for(lambda: re.search(refused, httpx.get(f"{sender.url}/metrics").text)), sender.log.read_text()
    assert "415 Unsupported Media Type: Unsupported proto version" in sender.log.read_text()
    assert "message received with unsupported proto version, rejecting" in full_gateway.log


def test_remote_write_without_a_content_type_is_refused_in_words(full_gateway) -> None:
    answer = httpx.post(f"http://{full_gateway.remote_write}/api/v1/write", content=b"x")
    assert (answer.status_code, answer.text) == (415, "Content-Type header is required\n")


@within_three_tries
def test_a_series_that_ends_leaves_no_zero_that_would_look_like_a_reset(
    store, full_database, full_gateway, sender, exporter
) -> None:
    assert_the_end_is_no_zero(store, full_database, full_gateway, exporter, "not_a_number")
