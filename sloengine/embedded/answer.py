"""A response under way: headers once, pieces in the encoding the client asked for, errors at any point."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Message, Send

from sloengine.embedded import frames
from sloengine.embedded.engine import Counts, Piece, add
from sloengine.embedded.errors import StoreError

SERVER_NAME = "sloengine"
_WHOLE_BYTES = 1 << 20  # results up to this size get a Content-Length and a full summary
_STALLED_CLIENT_S = 120.0
_LOOK_EVERY_S = 0.5

_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONStrings": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "RowBinaryWithNamesAndTypes": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
}


class ClientGoneError(Exception):
    """The client closed the connection before its body was whole."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, without its body."""

    method: str
    path: str
    headers: Headers
    pairs: tuple[tuple[str, str], ...]
    query_id: str
    began_s: float
    values: dict[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        return self.values.get(name, "0") not in ("", "0", "false")

    @property
    def framed_out(self) -> bool:
        return self.flag("compress")

    @property
    def gzip_out(self) -> bool:
        accepted = {part.split(";")[0].strip().lower() for part in self.headers.get("accept-encoding", "").split(",")}
        return "gzip" in accepted and self.values.get("enable_http_compression", "1") != "0" and not self.framed_out


class Answer:
    """A response under way: headers once, pieces in the encoding the client asked for, errors at any point."""

    def __init__(self, call: Call, send: Send, version: str, timezone: str, clock: Callable[[], float]) -> None:
        self._call = call
        self._send = send
        self._version = version
        self._timezone = timezone
        self._clock = clock
        self._tag = secrets.token_hex(8)
        self._gzip = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if call.gzip_out else None
        self._started = False
        self._ended = False
        self.unwanted = False

    async def text(self, status: int, body: bytes) -> None:
        await self._begin(status, "text/plain; charset=UTF-8", [(b"content-length", str(len(body)).encode())])
        await self._body(body, more=False)

    async def whole(self, pieces: list[bytes | memoryview], fmt: str, counts: Counts) -> None:
        data = self._encoded(pieces)
        extra = [(b"content-length", str(len(data)).encode()), self._summary(counts)]
        await self._begin(200, _content_type(fmt), extra + self._encoding(), fmt)
        await self._body(data, more=False)
        self._gzip = None

    async def fail(self, error: StoreError) -> None:
        text = error.text(self._version).encode()
        if self._started:
            await self._fail_midway(text)
            return
        data = frames.encode(text) if self._call.framed_out else text
        extra = [
            (b"content-length", str(len(data)).encode()),
            (b"x-clickhouse-exception-code", str(error.code).encode()),
        ]
        if error.status == 401:
            extra.append((b"www-authenticate", b'Basic realm="ClickHouse server HTTP API"'))
        await self._begin(error.status, "text/plain; charset=UTF-8", extra)
        await self._body(data, more=False)

    def pump(self, pieces: Iterator[Piece], fmt: str, loop: asyncio.AbstractEventLoop) -> None:
        """In a worker thread: small results whole, large ones as they come, waiting for the client piece by piece."""
        held: list[bytes | memoryview] = []
        counts, size = Counts(), 0

        def wait(step: Awaitable[None]) -> None:
            self._wait(asyncio.run_coroutine_threadsafe(_await(step), loop), loop)

        for piece in pieces:
            counts = add(counts, piece.counts) if size else piece.counts
            size += len(piece.data)
            if not self._started and size <= _WHOLE_BYTES:
                held.append(bytes(piece.data))
                continue
            if not self._started:
                wait(self._begin(200, _content_type(fmt), [self._summary(counts), *self._encoding()], fmt))
            for part in (*held, *_slices(piece.data)):
                wait(self._body(self._encoded_part(part), more=True))
            held = []
        if not self._started:
            wait(self.whole(held, fmt, counts))

    def _wait(self, step: Future[None], loop: asyncio.AbstractEventLoop) -> None:
        """Wait for one send, in a worker: not longer than the client, the loop or our patience last."""
        for _ in range(int(_STALLED_CLIENT_S / _LOOK_EVERY_S)):
            if self.unwanted or not loop.is_running():
                break
            try:
                return step.result(_LOOK_EVERY_S)
            except FutureTimeoutError:
                continue
        raise ClientGoneError

    async def end(self) -> None:
        if self._gzip is not None:
            await self._body(self._gzip.flush(), more=False)
        elif not self._ended:
            await self._body(b"", more=False)

    async def _fail_midway(self, text: bytes) -> None:
        """ClickHouse's in-band exception block, then the connection breaks off: no client may take this for the end."""
        tag = self._tag.encode()
        block = b"\r\n__exception__\r\n" + tag + b"\r\n" + text[: 1 << 13] + b"\n"
        block += str(len(text[: 1 << 13])).encode() + b" " + tag + b"\r\n__exception__\r\n"
        data = self._encoded_part(block)
        if self._gzip is not None:
            data = bytes(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        await self._body(data, more=True)

    def _encoded(self, pieces: list[bytes | memoryview]) -> bytes | memoryview:
        if self._gzip is not None and any(pieces):
            return b"".join([*(self._gzip.compress(piece) for piece in pieces), self._gzip.flush()])
        self._gzip = None
        if self._call.framed_out:
            return b"".join(frames.encode(piece) for piece in pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _encoded_part(self, piece: bytes | memoryview) -> bytes | memoryview:
        if self._gzip is not None:
            return self._gzip.compress(piece)
        return frames.encode(piece) if self._call.framed_out else bytes(piece)

    def _encoding(self) -> list[tuple[bytes, bytes]]:
        return [(b"content-encoding", b"gzip")] if self._gzip is not None else []

    def _summary(self, counts: Counts) -> tuple[bytes, bytes]:
        figures = {
            "read_rows": counts.read_rows,
            "read_bytes": counts.read_bytes,
            "written_rows": counts.written_rows,
            "written_bytes": counts.written_bytes,
            "total_rows_to_read": "0",
            "result_rows": counts.result_rows,
            "result_bytes": counts.result_bytes,
            "elapsed_ns": int((self._clock() - self._call.began_s) * 1e9),
        }
        return b"x-clickhouse-summary", json.dumps({name: str(value) for name, value in figures.items()}).encode()

    async def _begin(self, status: int, kind: str, extra: list[tuple[bytes, bytes]], fmt: str | None = None) -> None:
        self._started = True
        headers = [
            (b"content-type", kind.encode()),
            (b"x-clickhouse-server-display-name", SERVER_NAME.encode()),
            (b"x-clickhouse-query-id", self._call.query_id.encode()),
            (b"x-clickhouse-timezone", self._timezone.encode()),
            (b"x-clickhouse-exception-tag", self._tag.encode()),
            *extra,
        ]
        if fmt:
            headers.append((b"x-clickhouse-format", fmt.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _body(self, data: bytes | memoryview, more: bool) -> None:
        self._ended = not more
        message: Message = {"type": "http.response.body", "body": data, "more_body": more}
        await self._send(message)


def _content_type(fmt: str) -> str:
    return _CONTENT_TYPES.get(fmt, "text/plain; charset=UTF-8")


def _slices(data: memoryview) -> Iterator[memoryview]:
    return (data[at : at + _WHOLE_BYTES] for at in range(0, len(data), _WHOLE_BYTES))


async def _await(step: Awaitable[None]) -> None:
    await step
