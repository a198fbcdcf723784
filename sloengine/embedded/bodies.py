"""Request bodies on their way in: content encodings and frames undone piece by piece, sizes bounded all the way."""

from __future__ import annotations

import zlib
from typing import Protocol

import lz4.frame
import zstandard

from sloengine.embedded import errors
from sloengine.embedded.errors import StoreError
from sloengine.embedded.frames import FrameDecoder

_STEP_BYTES = 1 << 20


class Stage(Protocol):
    """Bytes in, bytes out; `finish` raises if the input was cut short."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _Zlib:
    """gzip (several members too) and deflate, bounded per step so that a bomb can't outgrow the limit unseen."""

    def __init__(self, window_bits: int, limit: int) -> None:
        self._window_bits = window_bits
        self._limit = limit
        self._total = 0
        self._object = zlib.decompressobj(window_bits)
        self._fed = False

    def feed(self, data: bytes) -> bytes:
        out = []
        self._fed = self._fed or bool(data)
        while data:
            if self._object.eof:
                self._object = zlib.decompressobj(self._window_bits)
            piece = self._object.decompress(data, _STEP_BYTES)
            self._total += len(piece)
            check_size(self._total, self._limit)
            out.append(piece)
            data = self._object.unused_data if self._object.eof else self._object.unconsumed_tail
        return b"".join(out)

    def finish(self) -> bytes:
        if self._fed and not self._object.eof:
            raise EOFError("compressed body is cut short")
        return b""


class _Zstd:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._new()

    def _new(self) -> None:
        self._object = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(write_size=_STEP_BYTES)
        self._open = False

    def feed(self, data: bytes) -> bytes:
        out = []
        for at in range(0, len(data), 1 << 14):
            out.append(self._feed_some(data[at : at + (1 << 14)]))
        return b"".join(out)

    def _feed_some(self, data: bytes) -> bytes:
        out = []
        while data:
            if self._object.eof:
                self._new()
            self._open = True
            piece = self._object.decompress(data)
            self._total += len(piece)
            check_size(self._total, self._limit)
            out.append(piece)
            data = self._object.unused_data if self._object.eof else b""
        return b"".join(out)

    def finish(self) -> bytes:
        if self._open and not self._object.eof:
            raise EOFError("compressed body is cut short")
        return b""


class _Lz4:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._object = lz4.frame.LZ4FrameDecompressor()
        self._open = False

    def feed(self, data: bytes) -> bytes:
        out = []
        self._open = self._open or bool(data)
        while data or not self._object.needs_input:
            if self._object.eof:
                data = data or self._object.unused_data or b""
                if not data:
                    break
                self._object = lz4.frame.LZ4FrameDecompressor()
            piece = self._object.decompress(data, max_length=_STEP_BYTES)
            self._total += len(piece)
            check_size(self._total, self._limit)
            out.append(piece)
            data = (self._object.unused_data or b"") if self._object.eof else b""
            if self._object.eof and not data:
                break
        return b"".join(out)

    def finish(self) -> bytes:
        if self._open and not self._object.eof:
            raise EOFError("compressed body is cut short")
        return b""


def check_size(size: int, limit: int) -> None:
    if size > limit:
        raise StoreError(errors.TOO_LARGE_BODY, f"Request body is larger than {limit} bytes after decompression.")


def _content_stage(encoding: str, limit: int) -> Stage | None:
    match encoding:
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Zlib(16 + zlib.MAX_WBITS, limit)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS, limit)
        case "zstd":
            return _Zstd(limit)
        case "lz4":
            return _Lz4(limit)
    raise StoreError(
        errors.UNKNOWN_COMPRESSION_METHOD,
        f"Unknown Content-Encoding {encoding!r}: gzip, deflate, zstd and lz4 are understood.",
    )


class BodyDecoder:
    """A request's body: Content-Encoding undone first, then ClickHouse frames if `decompress=1`."""

    def __init__(self, encoding: str, framed: bool, limit: int) -> None:
        self._limit = limit
        self._total = 0
        content = _content_stage(encoding.strip().lower(), limit + (1 << 20) if framed else limit)
        self._stages: list[Stage] = [content] if content else []
        if framed:
            self._stages.append(FrameDecoder(limit))

    def feed(self, data: bytes) -> bytes:
        try:
            for stage in self._stages:
                data = stage.feed(data)
        except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError) as error:
            raise StoreError(errors.CANNOT_DECOMPRESS, f"Cannot decompress the body: {error}.") from error
        self._total += len(data)
        check_size(self._total, self._limit)
        return data

    def finish(self) -> None:
        """Raise if the body ended before its encodings did."""
        try:
            for stage in self._stages:
                stage.finish()
        except EOFError as error:
            raise StoreError(
                errors.CANNOT_DECOMPRESS, f"Cannot decompress the body: {error}. Nothing was applied."
            ) from error
