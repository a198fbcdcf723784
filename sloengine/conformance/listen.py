"""The endpoint that a device is pointed at: OTLP/HTTP, protobuf and JSON, gzip. It stores nothing."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from sloengine.edge.contract import CLOCK_HEADER

# See decode.py for why these are not repeated here.
from sloengine.otlp.door import MAX_BODY_BYTES, PROTOBUF, _read, _refuse, _RefusedError, _unix_nano

from .checker import Checker
from .decode import JSON, SIGNALS, UnreadableError, answer, decode
from .findings import Finding
from .items import Sending

_INVALID_ARGUMENT, _NOT_FOUND = 3, 5
_MEDIA = {PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, JSON: JSON}
_REFUSALS = {413: "request-too-big", 415: "request-wrong-type"}
Found = Callable[[list[Finding]], None]


class Desk:
    """The checker, from several threads, one at a time. `found` is told what is new, in the same order."""

    def __init__(self, checker: Checker, found: Found, now: Callable[[], datetime]) -> None:
        self._checker = checker
        self._found = found
        self._now = now
        self._lock = threading.Lock()

    def feed(self, signal: str, body: bytes, media: str, sending: Sending) -> None:
        request = decode(signal, body, media)
        with self._lock:
            self._found(self._checker.feed(signal, request, sending))

    def refuse(self, rule_id: str, where: str, example: str, detail: str = "") -> None:
        with self._lock:
            self._found(self._checker.refuse(rule_id, where, example, detail))

    def sending(self, request: Request) -> Sending:
        """When a request came, and what the device's clock said as it left."""
        claimed = request.headers.get(CLOCK_HEADER)
        sent_ns = None if claimed is None else int(claimed) if _is_number(claimed) else -1
        return Sending(received_ns=_unix_nano(self._now()), sent_ns=sent_ns)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 25


def web_app(desk: Desk) -> FastAPI:
    """Every POST is answered and looked at; one that is not OTLP gets OTLP's error and becomes a finding."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    async def receive(request: Request) -> Response:
        signal = request.url.path.removeprefix("/v1/")
        where = signal if signal in SIGNALS else "request"
        try:
            return await _take(desk, request, signal)
        except _RefusedError as refused:
            if refused.status != 404:
                desk.refuse(_REFUSALS.get(refused.status, "request-unreadable"), where, str(refused))
            return _refuse(refused)

    app.add_api_route("/{path:path}", receive, methods=["POST", "PUT", "GET"])
    return app


async def _take(desk: Desk, request: Request, signal: str) -> Response:
    if request.method != "POST" or f"/v1/{signal}" != request.url.path or signal not in SIGNALS:
        desk.refuse("request-wrong-path", "request", f"{request.method} {request.url.path}")
        raise _RefusedError(404, _NOT_FOUND, "POST to /v1/traces, /v1/metrics or /v1/logs")
    sending = desk.sending(request)
    media = _media(request)
    body = await _read(request, MAX_BODY_BYTES)
    try:
        await run_in_threadpool(desk.feed, signal, body, media, sending)
    except UnreadableError as error:
        raise _RefusedError(400, _INVALID_ARGUMENT, str(error)) from error
    return Response(answer(signal, media), media_type=media)


def _media(request: Request) -> str:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if given not in _MEDIA:
        raise _RefusedError(415, _INVALID_ARGUMENT, f"content-type {given or 'absent'}")
    if encoding not in ("identity", "gzip", ""):
        raise _RefusedError(415, _INVALID_ARGUMENT, f"content-encoding {encoding}")
    return _MEDIA[given]


def open_socket(listen: str) -> socket.socket:
    """A listening socket for `port` (every address of this host) or `host:port`; port 0 takes a free one.

    Raises:
        ValueError: not of that form.
        OSError: the port is taken, or the host is not this one.
    """
    host, _, port = listen.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"'{listen}' is neither a port nor host:port")
    return socket.create_server((host.strip("[]") or "0.0.0.0", int(port)))  # noqa: S104  devices are elsewhere


def serve(
    desk: Desk, listening: socket.socket, for_s: float | None, started: Callable[[Callable[[], None]], None]
) -> None:
    """Listen for `for_s` seconds, or until SIGINT or SIGTERM. `started` is given a function that ends it."""
    config = uvicorn.Config(
        web_app(desk),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)

    def stop(*_: Any) -> None:
        server.should_exit = True

    timer = threading.Timer(for_s, stop) if for_s is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    started(stop)
    with _complaints(desk), _sigterm_as_ctrl_c(), contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    if timer:
        timer.cancel()


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """uvicorn stops at SIGTERM and then raises it again: by default that would be the end, without a report."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Knocks(logging.Handler):
    """uvicorn says in its log, and nowhere else, that something other than HTTP/1.1 came."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(logging.WARNING)
        self._desk = desk

    def emit(self, record: logging.LogRecord) -> None:
        if "Invalid HTTP request" in record.getMessage():
            self._desk.refuse("request-not-http", "request", "neither POST nor GET in its first line")


@contextlib.contextmanager
def _complaints(desk: Desk) -> Iterator[None]:
    log, knocks = logging.getLogger("uvicorn.error"), _Knocks(desk)
    log.addHandler(knocks)
    propagate, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.removeHandler(knocks)
        log.propagate = propagate
