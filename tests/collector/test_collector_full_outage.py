"""The full gateway keeps the lean one's promise on its other ways in: what was taken is stored, over an outage and a kill -9."""

import json
import signal
import time

import pytest
from collector_running import FullGateway, Store, wait_for
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.collector
LINES = 200


def test_a_store_that_is_away_and_a_kill_meanwhile_lose_neither_lines_nor_spans(
    own_store: Store, gateways, full_binary
) -> None:
    gateway: FullGateway = gateways(own_store.url, kind=FullGateway)
    gateway.start()
    own_store.stop()
    request = ExportTraceServiceRequest()
    now = time.time_ns()
    request.resource_spans.add().scope_spans.add().spans.add(
        name="taken", start_time_unix_nano=now, end_time_unix_nano=now
    )
    assert gateway.send("traces", request).status_code == 200
    with (gateway.logs / "app.jsonl").open("a") as log:
        log.writelines(json.dumps({"msg": f"line {number}"}) + "\n" for number in range(LINES))
    queued = "otelcol_exporter_queue_size"
    assert wait_for(lambda: sum(value for labels, value in gateway.counters(queued).items() if "logs" in labels))
    gateway.end(signal.SIGKILL)
    gateway.start()
    own_store.start()
    lines = "SELECT uniqExact(Body) AS n FROM otel_logs"
    # At least once: after a kill, lines may come twice.
    assert wait_for(lambda: own_store.value(lines) == LINES), own_store.value(lines)
    assert wait_for(lambda: own_store.value("SELECT count() AS n FROM otel_traces WHERE SpanName = 'taken'"))
