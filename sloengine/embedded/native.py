"""The one answer that needs ClickHouse's protocol framing: clickhouse-go's handshake over HTTP.

clickhouse-go (v2.47: conn_http.go queryHello, lib/proto/block.go Decode) decodes that answer at the revision it asked
for in `client_protocol_version` and everything after it at the revision the answer names. Naming 0 keeps all later
blocks plain Native, which is what chDB writes.
"""

from __future__ import annotations

import re
import struct

_HANDSHAKE = re.compile(
    r"\s*SELECT\s+displayName\(\)\s*,\s*version\(\)\s*,\s*revision\(\)\s*,\s*timezone\(\)\s*;?\s*", re.IGNORECASE
)
_BLOCK_INFO_REVISION = 51903
_CUSTOM_SERIALIZATION_REVISION = 54454
# field 1: is_overflows = 0; field 2: bucket_num = -1; end.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


def is_handshake(sql: str) -> bool:
    return _HANDSHAKE.fullmatch(sql) is not None


def handshake_block(client_revision: int, display_name: str, version: str, timezone: str) -> bytes:
    """One row (displayName, version, revision = 0, timezone) in Native format framed for `client_revision`."""
    custom = b"\x00" if client_revision >= _CUSTOM_SERIALIZATION_REVISION else b""
    columns = (
        ("displayName()", "String", _text(display_name)),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", struct.pack("<I", 0)),
        ("timezone()", "String", _text(timezone)),
    )
    body = b"".join(_text(name) + _text(kind) + custom + data for name, kind, data in columns)
    info = _BLOCK_INFO if client_revision >= _BLOCK_INFO_REVISION else b""
    return info + bytes((len(columns), 1)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
