"""The engine's own OTLP/HTTP door, for pilots and demos without a gateway: POST /v1/traces, /v1/metrics, /v1/logs.

It applies the gateway's rules (see gateway.py) and has no queue: 200 means stored, 503 means that the sender keeps its
data and comes back. Binary protobuf only, as every OpenTelemetry SDK sends by default.
"""

import hmac
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces_pb
from starlette.concurrency import run_in_threadpool

from sloengine.otlp import rows
from sloengine.otlp.gateway import CLOCK_HEADER, Gateway

Insert = Callable[[str, list[str], list[list[object]]], None]
MAX_BODY_BYTES = 20 * 1024 * 1024  # the gateway's max_request_body_size
RETRY_AFTER_S = 5
PROTOBUF = "application/x-protobuf"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# google.rpc.Code, which OTLP error bodies carry
_INVALID_ARGUMENT, _RESOURCE_EXHAUSTED, _UNAVAILABLE, _UNAUTHENTICATED = 3, 8, 14, 16


@dataclass(frozen=True)
class _Signal:
    request: type[Message]
    response: type[Message]
    rejected_field: str
    convert: Callable[[Any, Gateway], rows.Batch]


_SIGNALS = {
    "traces": _Signal(
        traces_pb.ExportTraceServiceRequest, traces_pb.ExportTraceServiceResponse, "rejected_spans", rows.traces
    ),
    "metrics": _Signal(
        metrics_pb.ExportMetricsServiceRequest,
        metrics_pb.ExportMetricsServiceResponse,
        "rejected_data_points",
        rows.metrics,
    ),
    "logs": _Signal(
        logs_pb.ExportLogsServiceRequest, logs_pb.ExportLogsServiceResponse, "rejected_log_records", rows.logs
    ),
}


class _RefusedError(Exception):
    """A request that gets an error answer."""

    def __init__(self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, dict(headers or {})


def _ignore(signal: str, dropped: Mapping[str, int]) -> None:
    """Count nothing."""


def router(
    insert: Insert,
    token: str | None,
    gateway_id: str,
    now: Callable[[], datetime],
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    count_dropped: Callable[[str, Mapping[str, int]], None] = _ignore,
) -> APIRouter:
    """Routes for the three signals.

    insert(table, columns, rows) stores rows or raises; it is called from a worker thread. With a token, requests must
    carry it as a bearer token. now() is aware. max_body_bytes bounds the body before and after decompression.
    count_dropped(signal, {reason: items}) is told what the gateway's rules dropped of a request that was stored.
    """

    async def receive(request: Request, signal: str) -> Response:
        try:
            _check(request.headers, token)
            body = await _read(request, max_body_bytes)
            gateway = Gateway(gateway_id, _unix_nano(now()), sent=request.headers.get(CLOCK_HEADER, ""))
            batch = await run_in_threadpool(_store, insert, _SIGNALS[signal], body, gateway)
        except _RefusedError as refused:
            return _refuse(refused)
        if batch.dropped:
            count_dropped(signal, batch.dropped)
        return _accept(_SIGNALS[signal], batch)

    async def traces(request: Request) -> Response:
        return await receive(request, "traces")

    async def metrics(request: Request) -> Response:
        return await receive(request, "metrics")

    async def logs(request: Request) -> Response:
        return await receive(request, "logs")

    routes = APIRouter(tags=["otlp"])
    for endpoint in (traces, metrics, logs):
        path = f"/v1/{endpoint.__name__}"
        routes.add_api_route(path, endpoint, methods=["POST"], response_class=Response, summary=f"OTLP/HTTP {path}")
    return routes


def _check(headers: Mapping[str, str], token: str | None) -> None:
    if token is not None:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), token.encode()):
            raise _RefusedError(401, _UNAUTHENTICATED, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != PROTOBUF:
        raise _RefusedError(415, _INVALID_ARGUMENT, f"send {PROTOBUF}, not {media or 'a body without a type'}")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise _RefusedError(415, _INVALID_ARGUMENT, f"send gzip or nothing as content-encoding, not {encoding}")


async def _read(request: Request, max_body_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body_bytes:
            raise _too_big(max_body_bytes)
        chunks.append(chunk)
    body = b"".join(chunks)
    if request.headers.get("content-encoding", "").strip().lower() != "gzip":
        return body
    return await run_in_threadpool(_gunzip, body, max_body_bytes)


def _too_big(max_body_bytes: int) -> _RefusedError:
    return _RefusedError(413, _RESOURCE_EXHAUSTED, f"more than {max_body_bytes} bytes; send smaller batches")


def _gunzip(body: bytes, max_body_bytes: int) -> bytes:
    """All members of a gzip body, given up as soon as they unfold to more than max_body_bytes."""
    unfolded = b""
    while body:
        member = zlib.decompressobj(wbits=31)
        try:
            unfolded += member.decompress(body, max_body_bytes - len(unfolded) + 1)
        except zlib.error as error:
            raise _RefusedError(400, _INVALID_ARGUMENT, f"not gzip: {error}") from error
        if len(unfolded) > max_body_bytes:
            raise _too_big(max_body_bytes)
        if not member.eof:
            raise _RefusedError(400, _INVALID_ARGUMENT, "gzip ends too early")
        body = member.unused_data
    return unfolded


def _store(insert: Insert, signal: _Signal, body: bytes, gateway: Gateway) -> rows.Batch:
    request = signal.request()
    try:
        request.ParseFromString(body)
        batch = signal.convert(request, gateway)
    except (DecodeError, rows.MalformedError) as error:
        raise _RefusedError(400, _INVALID_ARGUMENT, f"not an OTLP request: {error}") from error
    for table, table_rows in batch.rows.items():
        try:
            insert(table, list(rows.COLUMNS[table]), table_rows)
        except Exception as error:
            # Whatever the store's client raises, the answer is the same: keep it and come back. A retry after a partial
            # failure stores rows twice, which roll-ups expect.
            message = f"the store did not take it ({type(error).__name__})"
            raise _RefusedError(503, _UNAVAILABLE, message, {"Retry-After": str(RETRY_AFTER_S)}) from error
    return batch


def _refuse(refused: _RefusedError) -> Response:
    status = Status(code=refused.code, message=str(refused))
    return Response(status.SerializeToString(), refused.status, refused.headers, PROTOBUF)


def _accept(signal: _Signal, batch: rows.Batch) -> Response:
    response: Any = signal.response()
    if batch.dropped:
        setattr(response.partial_success, signal.rejected_field, batch.dropped.total())
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(batch.dropped.items()))
        response.partial_success.error_message = f"dropped: {reasons}"
    return Response(response.SerializeToString(), media_type=PROTOBUF)


def _unix_nano(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
