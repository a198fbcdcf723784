"""docs/telemetry.md, the code, and what really goes over the wire say the same."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

from sloengine.edge import DropReason, contract

DOC = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
MESSAGES = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


def table(heading: str) -> list[dict[str, str]]:
    """The first table below a heading of the document, a dict per row."""
    section = DOC.split(f"{heading}\n", 1)[1]
    lines: list[str] = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    assert all(len(row) == len(head) for row in rows), f"a cell of {heading} has a bare |"
    return [dict(zip(head, row, strict=True)) for row in rows]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def attribute_names(cell: str) -> set[str]:
    """Names, without the values that stand after `=`."""
    return {name for name in names(cell) if "." in name}


class Receiver:
    def __init__(self) -> None:
        self.bodies: dict[str, list[Any]] = {path: [] for path in MESSAGES}
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.headers.append({key.lower(): value for key, value in self.headers.items()})
                outer.bodies[self.path].append(MESSAGES[self.path].FromString(gzip.decompress(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def values(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


@pytest.fixture(scope="module")
def received() -> Iterator[Receiver]:
    """What a collector gets from the document's own example, run as it stands, and a few more calls."""
    receiver = Receiver()
    example = re.search(r"```python\n(.*?)```", DOC, re.DOTALL)[1]
    example = example.replace('endpoint="http://127.0.0.1:4318"', "**settings")
    example, ending = example.split("node.flush(", 1)
    settings = {
        "endpoint": receiver.endpoint,
        "headers": {"Authorization": "Bearer t"},
        "span_ratio": 1.0,
        "export_interval_s": 3600,
        "gateway": "gw",
        "driver": "npu-2",
        "hardware": "jetson",
        "version": "1.4.0",
        "environment": "test",
        "predictions": 1.0,
        "resource_attributes": {"k8s.pod.name": "digits-0"},
    }
    scope: dict[str, Any] = {"settings": settings}
    exec(example, scope)
    model = scope["model"]
    with model.inference() as call:
        call.cold_start()
        call.score(float("nan"))
        call.fail("Timeout")
    scope["predict"](b"")
    model.load_failed("NoSpace")
    model.integrity(True)
    model.integrity(False, hash="a", expected="b", path="/m", signer="me")
    model.data(raw=10, sent=1)
    with model.inference() as call:
        call.score(0.5, label="3")
        call.record(truth="5")
    scope["node"].update(rollout="r-42", wave=1, model="digits", version="7", status="failed", error="NoSpace")
    scope["node"].flush(5)  # a second point for the CPU's share
    exec("sent = node.flush(" + ending.replace("node.close", "closed = node.close"), scope)
    assert scope["sent"] is True
    assert scope["closed"] is True
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def metrics(received: Receiver) -> dict[str, Any]:
    scopes = [
        scope for body in received.bodies["/v1/metrics"] for r in body.resource_metrics for scope in r.scope_metrics
    ]
    return {metric.name: metric for scope in scopes for metric in scope.metrics}


def documented_metrics() -> dict[str, dict[str, str]]:
    return {name: row for row in table("## Metrics") for name in names(row["name"])}


@pytest.mark.parametrize("name", documented_metrics())
def test_a_documented_metric_arrives_as_documented(name, metrics):
    row, metric = documented_metrics()[name], metrics[name]
    assert metric.unit == names(row["unit"])[0]
    kind = metric.WhichOneof("data")
    expected = {
        "monotonic sum": "sum",
        "exponential": "exponential_histogram",
        "explicit": "histogram",
        "gauge": "gauge",
    }
    assert kind == next(value for text, value in expected.items() if row["kind"].startswith(text))
    data = getattr(metric, kind)
    if kind != "gauge":
        assert data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    if kind == "sum":
        assert data.is_monotonic
    if kind == "exponential_histogram":
        assert int(re.search(r"max scale (\d+)", row["kind"])[1]) == contract.DURATION_SCALE_MAX
        assert int(re.search(r"max size (\d+)", row["kind"])[1]) == contract.DURATION_BUCKETS_MAX
        assert all(point.scale <= contract.DURATION_SCALE_MAX for point in data.data_points)
    if kind == "histogram":
        assert list(data.data_points[0].explicit_bounds) == [i / 20 for i in range(1, 20)]
    about_a_model = {"edge.model.name", "edge.model.version", "edge.rollout.id", "edge.rollout.wave"}
    model = about_a_model if name.startswith(("edge.inference.", "edge.model.", "edge.data.")) else set()
    own = attribute_names(row["more attributes"])
    sent = [{documented_key(key) for key in values(point.attributes)} for point in data.data_points]
    assert all(model <= keys <= model | own for keys in sent)
    assert own == set().union(*sent) - model


def documented_key(key: str) -> str:
    return re.sub(r"^edge\.segment\..*", "edge.segment.<name>", key)


def documented_values(cell: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, alternatives in re.findall(r"`([\w.]+)` = ((?:`\w+`(?:\\\|)?)+)", cell):
        found[key] = set(names(alternatives))
    return found


def test_attributes_have_documented_values_only(metrics):
    for name, row in documented_metrics().items():
        kind = metrics[name].WhichOneof("data")
        for point in getattr(metrics[name], kind).data_points:
            sent = values(point.attributes)
            for key, allowed in documented_values(row["more attributes"]).items():
                assert sent[key] in allowed


def test_nothing_undocumented_arrives(metrics):
    assert set(metrics) <= set(documented_metrics())


def test_the_resource_says_who_speaks(received):
    rows = table("## Resource: who speaks")
    stamped = {name for row in rows if row["required"] == "stamped" for name in names(row["attribute"])}
    documented = {name for row in rows for name in names(row["attribute"])}
    for body in received.bodies["/v1/metrics"]:
        sent = values(body.resource_metrics[0].resource.attributes)
        own = {"k8s.*" if key.startswith("k8s.") else key for key in sent if not key.startswith("telemetry.sdk.")}
        assert documented - stamped <= own <= documented
    assert sent["device.id"] == "eu-north-007"


def test_every_signal_has_the_same_resource(received):
    resources = [
        body.resource_metrics[0].resource.SerializeToString(deterministic=True)
        for body in received.bodies["/v1/metrics"]
    ]
    resources += [
        body.resource_spans[0].resource.SerializeToString(deterministic=True) for body in received.bodies["/v1/traces"]
    ]
    resources += [
        body.resource_logs[0].resource.SerializeToString(deterministic=True) for body in received.bodies["/v1/logs"]
    ]
    assert len(set(resources)) == 1


def test_spans_arrive_as_documented(received):
    spans = [
        span
        for body in received.bodies["/v1/traces"]
        for resource in body.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    section = DOC.split("## Spans\n", 1)[1].split("\n## ", 1)[0]
    documented = {name for name in names(section) if name.startswith(("edge.inference.", "error."))}
    model = set(names(" ".join(row["attribute"] for row in table("## On every item: which model"))))
    sent = set()
    for span in spans:
        sent |= set(values(span.attributes))
        assert (span.name, span.trace_state) == ("edge.inference", "ot=th:0")
        assert span.end_time_unix_nano > span.start_time_unix_nano
    assert len(spans) == 4
    assert sent == documented | model
    assert [span.status.code for span in spans] == [0, 2, 0, 0]


def log_records(received: Receiver) -> list[Any]:
    return [
        record
        for body in received.bodies["/v1/logs"]
        for resource in body.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


@pytest.mark.parametrize(
    ("event", "heading"), [("edge.prediction", "## Prediction records"), ("edge.label", "## Labels")]
)
def test_prediction_records_and_labels_arrive_as_documented(event, heading, received):
    records = [record for record in log_records(received) if record.event_name == event]
    rows = {names(row["attribute"])[0]: row["required"] for row in table(heading)}
    always = {"event.name", "edge.model.name", "edge.model.version", "edge.rollout.id", "edge.rollout.wave"}
    required = {name for name, needed in rows.items() if needed == "yes"} | always
    sent: set[str] = set()
    for record in records:
        facts = values(record.attributes)
        own = {documented_key(key) for key in facts}
        assert required <= own <= set(rows) | always
        assert facts["event.name"] == event
        assert (record.severity_text, record.body.WhichOneof("value")) == ("INFO", None)
        sent |= own
    assert sent == set(rows) | always


def test_the_documents_examples_of_hash_and_threshold():
    from sloengine.edge.predictions import hash_value
    from sloengine.edge.sampling import th_value, threshold

    section = DOC.split("## Prediction records\n", 1)[1].split("\n## ", 1)[0]
    prediction_id, r = re.search(r"With the id\s`([^`]+)` R is `(\w+)`", section).groups()
    assert f"{hash_value(prediction_id):014x}" == r
    one_in_ten = re.search(r"`(\w+)` one in ten", section)[1]
    assert th_value(threshold(0.1)) == one_in_ten


def test_each_request_says_what_the_devices_clock_showed(received):
    name = re.search(r"## The clock header\n.*?`(x-[\w-]+)`", DOC, re.DOTALL)[1]
    assert name == contract.CLOCK_HEADER
    shown = [int(headers[name]) for headers in received.headers]
    assert all(abs(time.time_ns() - ns) < 60e9 for ns in shown)
    assert len(set(shown)) == len(shown)


def test_events_arrive_as_documented(received):
    rows = {names(row["event"])[0]: row for row in table("## Logs")}
    records = {
        record.event_name: record for record in log_records(received) if record.event_name not in contract.SAMPLED_BY_ID
    }
    assert set(records) == set(rows)
    assert rows["edge.update"].pop("severity") == "INFO, ERROR when `failed`"
    rows["edge.update"]["severity"] = "ERROR"
    started = next(record for record in log_records(received) if record.event_name == "edge.update")
    assert started.severity_text == "INFO"
    for name, record in records.items():
        facts = json.loads(record.body.string_value)
        model = {"edge.model.name", "edge.model.version", "edge.rollout.id", "edge.rollout.wave", "event.name"}
        assert facts == values(record.attributes)
        assert model <= set(facts)
        assert set(facts) - model == attribute_names(rows[name]["more attributes"])
        for key, allowed in documented_values(rows[name]["more attributes"]).items():
            assert facts[key] in allowed
        assert facts["event.name"] == name
        assert record.severity_text == rows[name]["severity"]


def test_headers_go_with_every_request(received):
    assert {headers["authorization"] for headers in received.headers} == {"Bearer t"}


def test_drop_reasons_are_documented():
    assert [names(row["reason"])[0] for row in table("### Values of `edge.drop.reason`")] == list(DropReason)


def test_limits_are_documented():
    limits = [int(re.search(r"\d+", row["limit"])[0]) for row in table("### Limits")]
    assert limits == [
        contract.ATTRIBUTE_LENGTH_MAX,
        contract.ERROR_TYPES_MAX,
        contract.LABELS_MAX,
        contract.MODELS_MAX,
        contract.EVENTS_BURST,
        contract.SPANS_QUEUED_MAX,
        contract.LOGS_QUEUED_MAX,
        contract.PREDICTIONS_QUEUED_MAX,
        contract.SEGMENTS_MAX,
        contract.SEGMENT_VALUES_MAX,
        contract.SEGMENT_NAME_MAX,
        contract.SEGMENT_COMBINATIONS_MAX,
        contract.BUFFER_BYTES_DEFAULT // 2**20,
        contract.RESENT_BYTES_PER_S // 2**10,
    ]
