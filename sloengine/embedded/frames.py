"""ClickHouse's compressed frames (`compress=1`, `decompress=1`): checksum, method, sizes, data.

A frame is 16 bytes of CityHash128 (v1.0.2) over the rest, 1 byte method, 4 bytes size of method+sizes+data, 4 bytes
size after decompression (both little-endian), data. Source: ClickHouse src/Compression/CompressedReadBufferBase.cpp.
"""

from __future__ import annotations

import struct

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from sloengine.embedded import errors
from sloengine.embedded.errors import StoreError

NONE, LZ4, ZSTD = 0x02, 0x82, 0x90
_CHECKSUM_BYTES = 16
_HEADER_BYTES = 9
_SIZES = struct.Struct("<BII")
_MASK = (1 << 64) - 1
FRAME_BYTES = 1 << 20


def _checksum(data: bytes) -> bytes:
    number = CityHash128(data)
    return struct.pack("<QQ", number >> 64, number & _MASK)


def encode(data: bytes | memoryview) -> bytes:
    """`data` as LZ4 frames of at most 1 MiB each."""
    view = memoryview(data)
    return b"".join(_encode_one(view[at : at + FRAME_BYTES]) for at in range(0, len(view), FRAME_BYTES))


def _encode_one(piece: memoryview) -> bytes:
    packed: bytes = lz4.block.compress(piece, store_size=False)
    body = _SIZES.pack(LZ4, len(packed) + _HEADER_BYTES, len(piece)) + packed
    return _checksum(body) + body


class FrameDecoder:
    """Feed bytes as they arrive, get decompressed bytes of the frames completed so far."""

    def __init__(self, max_frame_bytes: int) -> None:
        self._max = max_frame_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._held += data
        out = []
        while (frame := self._next()) is not None:
            out.append(frame)
        return out[0] if len(out) == 1 else b"".join(out)

    def finish(self) -> bytes:
        """Call at the end of the body: a frame cut short is an error, so that no prefix of a batch is taken for it."""
        if self._held:
            raise StoreError(
                errors.ATTEMPT_TO_READ_AFTER_EOF, "Compressed body ends inside a frame. The insert was not applied."
            )
        return b""

    def _next(self) -> bytes | None:
        start = _CHECKSUM_BYTES
        if len(self._held) < start + _HEADER_BYTES:
            return None
        method, packed_size, size = _SIZES.unpack_from(self._held, start)
        self._check_sizes(method, packed_size, size)
        end = start + packed_size
        if len(self._held) < end:
            return None
        frame = bytes(self._held[start:end])
        if _checksum(frame) != bytes(self._held[:start]):
            raise StoreError(errors.CHECKSUM_DOESNT_MATCH, "Checksum doesn't match: corrupted data.")
        del self._held[:end]
        return _decompress(method, frame[_HEADER_BYTES:], size)

    def _check_sizes(self, method: int, packed_size: int, size: int) -> None:
        if method not in (NONE, LZ4, ZSTD):
            raise StoreError(
                errors.UNKNOWN_COMPRESSION_METHOD,
                f"Unknown compression method {method:#04x}: LZ4, ZSTD and NONE frames are understood.",
            )
        if packed_size < _HEADER_BYTES or packed_size > self._max + (1 << 16) or size > self._max:
            raise StoreError(
                errors.TOO_LARGE_SIZE_COMPRESSED,
                f"Frame sizes {packed_size} and {size} are outside the limit of {self._max} bytes.",
            )


def _decompress(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == NONE:
            data = packed
        elif method == LZ4:
            data = lz4.block.decompress(packed, uncompressed_size=size) if size else b""
        else:
            data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size) if size else b""
    except (lz4.block.LZ4BlockError, zstandard.ZstdError, ValueError) as error:
        raise StoreError(errors.CANNOT_DECOMPRESS, f"Cannot decompress a frame: {error}.") from error
    if len(data) != size:
        raise StoreError(errors.CANNOT_DECOMPRESS, f"A frame holds {len(data)} bytes, its header says {size}.")
    return data
