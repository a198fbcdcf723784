"""The engine's own OTLP/HTTP door, as a sender sees it."""

import asyncio
import gzip
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from sloengine.otlp import door, rows

NOW = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
NOW_NS = 1_777_863_721_123_456_000
PROTOBUF = {"content-type": "application/x-protobuf"}


class Inserted:
    """Stands in for the store: keeps rows, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.tables: dict[str, list[dict[str, object]]] = {}

    def __call__(self, table: str, columns: list[str], table_rows: list[list[object]]) -> None:
        if self.fails:
            raise ConnectionError("no store")
        self.tables.setdefault(table, []).extend(dict(zip(columns, row, strict=True)) for row in table_rows)


def post(
    path: str, body: bytes, headers: Mapping[str, str | bytes] = PROTOBUF, insert=None, **options
) -> httpx.Response:
    app = FastAPI()
    token = options.pop("token", None)
    app.include_router(door.router(insert or Inserted(), token, "door-1", lambda: NOW, **options))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
            return await client.post(path, content=body, headers=dict(headers))

    return asyncio.run(send())


def one_span(**span) -> bytes:
    request = ExportTraceServiceRequest()
    times = {"start_time_unix_nano": NOW_NS, "end_time_unix_nano": NOW_NS + 5}
    request.resource_spans.add().scope_spans.add().spans.add(**{**times, **span})
    return request.SerializeToString()


def points(*values: float) -> bytes:
    request = ExportMetricsServiceRequest()
    gauge = request.resource_metrics.add().scope_metrics.add().metrics.add(name="g").gauge
    for value in values:
        gauge.data_points.add(as_double=value, time_unix_nano=NOW_NS)
    gauge.data_points.add(as_double=1, time_unix_nano=5)
    return request.SerializeToString()


def one_record() -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(event_name="edge.model.load_failed")
    return request.SerializeToString()


def test_a_span_is_stored_with_the_doors_stamp_and_answered_in_protobuf() -> None:
    insert = Inserted()
    answer = post("/v1/traces", one_span(name="edge.inference", kind=1), insert=insert)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
    (row,) = insert.tables["otel_traces"]
    assert tuple(row) == rows.COLUMNS["otel_traces"]
    assert row["ResourceAttributes"] == {
        "edge.gateway.id": "door-1",
        "edge.gateway.received_unix_nano": str(NOW_NS),
    }
    assert (row["Timestamp"], row["Duration"], row["SpanKind"]) == (NOW_NS, 5, "Internal")


def test_dropped_points_are_told_to_the_sender_and_counted_by_reason() -> None:
    counted = []
    answer = post(
        "/v1/metrics",
        points(1.5, float("nan")),
        count_dropped=lambda signal, reasons: counted.append((signal, reasons)),
    )
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_data_points == 2
    assert partial.error_message == "dropped: 1 not_a_number, 1 time_out_of_range"
    assert counted == [("metrics", {"not_a_number": 1, "time_out_of_range": 1})]


@pytest.mark.parametrize("media", ["application/json", "text/plain", ""])
def test_anything_but_protobuf_is_refused(media: str) -> None:
    assert post("/v1/traces", b"{}", {"content-type": media}).status_code == 415


def test_a_charset_after_the_media_type_does_no_harm() -> None:
    headers = {"content-type": "Application/X-Protobuf; charset=utf-8"}
    assert post("/v1/traces", one_span(), headers).status_code == 200


def test_an_unknown_encoding_is_refused() -> None:
    assert post("/v1/traces", one_span(), {**PROTOBUF, "content-encoding": "zstd"}).status_code == 415


GZIP = {**PROTOBUF, "content-encoding": "gzip"}


def test_gzip_is_unfolded_in_one_or_more_members() -> None:
    insert = Inserted()
    assert post("/v1/traces", gzip.compress(one_span()), GZIP, insert).status_code == 200
    assert post("/v1/traces", gzip.compress(one_span()) + gzip.compress(one_span()), GZIP, insert).status_code == 200
    assert len(insert.tables["otel_traces"]) == 3


def test_a_decompression_bomb_is_given_up_at_the_limit() -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    began = time.monotonic()
    assert post("/v1/traces", bomb, GZIP, max_body_bytes=1_000_000).status_code == 413
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"abc")[:-3], gzip.compress(one_span()) + b"trailing"],
    ids=["no gzip", "cut off", "something behind it"],
)
def test_broken_gzip_is_bad_input(body: bytes) -> None:
    assert post("/v1/traces", body, GZIP).status_code == 400


def test_a_body_over_the_limit_is_refused() -> None:
    assert post("/v1/traces", one_span(name="x" * 1001), max_body_bytes=1000).status_code == 413


@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Basic s3cret", "s3cret", "Bearer", "Bearer é"])
def test_without_the_right_token_nobody_comes_in(shown: str | None) -> None:
    insert = Inserted()
    headers = PROTOBUF if shown is None else {**PROTOBUF, "authorization": shown.encode()}
    answer = post("/v1/traces", one_span(), headers, insert, token="s3cret")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert insert.tables == {}


def test_the_token_opens_the_door() -> None:
    headers = {**PROTOBUF, "authorization": "bearer s3cret"}
    assert post("/v1/traces", one_span(), headers, token="s3cret").status_code == 200


def test_a_store_that_fails_means_keep_it_and_come_back() -> None:
    answer = post("/v1/traces", one_span(), insert=Inserted(fails=True))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "no store" not in answer.text
    assert Status.FromString(answer.content).code == 14


def test_an_id_of_the_wrong_length_is_bad_input() -> None:
    assert post("/v1/traces", one_span(trace_id=b"123")).status_code == 400


def test_an_empty_request_is_fine_and_stores_nothing() -> None:
    insert = Inserted()
    for signal in ("traces", "metrics", "logs"):
        assert post(f"/v1/{signal}", b"", insert=insert).status_code == 200
    assert insert.tables == {}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["traces", "metrics", "logs"]), st.binary(max_size=300), st.booleans())
def test_no_garbage_gets_anything_but_a_clean_answer(signal: str, body: bytes, compressed: bool) -> None:
    answer = post(f"/v1/{signal}", gzip.compress(body) if compressed else body, GZIP if compressed else PROTOBUF)
    assert answer.status_code in (200, 400)


REQUESTS = {
    "traces": one_span(trace_id=bytes(15) + b"1", span_id=b"12345678", trace_state="ot=th:8", name="edge.inference"),
    "metrics": points(1.5, 2.5),
    "logs": one_record(),
}


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(REQUESTS)), st.data())
def test_a_damaged_request_gets_a_clean_answer(signal: str, data: st.DataObject) -> None:
    damaged = bytearray(REQUESTS[signal])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert post(f"/v1/{signal}", bytes(damaged)).status_code in (200, 400)
