"""The embedded store's errors: a ClickHouse code, its name, and the HTTP status ClickHouse gives it."""

from __future__ import annotations

import re

# Codes the endpoint itself raises; the engine's own codes pass through.
CANNOT_DECOMPRESS = 271
SYNTAX_ERROR = 62
NOT_IMPLEMENTED = 48
UNKNOWN_SETTING = 115
CHECKSUM_DOESNT_MATCH = 40
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
QUERY_IS_TOO_LARGE = 307
TOO_LARGE_BODY = 131  # TOO_LARGE_STRING_SIZE: ClickHouse has no body limit of its own, this is the nearest
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
UNKNOWN_COMPRESSION_METHOD = 89
ATTEMPT_TO_READ_AFTER_EOF = 32
TOO_LARGE_SIZE_COMPRESSED = 179
LOGICAL_ERROR = 49
BAD_ARGUMENTS = 36

_NAMES = {
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    UNKNOWN_SETTING: "UNKNOWN_SETTING",
    CHECKSUM_DOESNT_MATCH: "CHECKSUM_DOESNT_MATCH",
    READONLY: "READONLY",
    TOO_MANY_SIMULTANEOUS_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
    QUERY_IS_TOO_LARGE: "QUERY_IS_TOO_LARGE",
    TOO_LARGE_BODY: "TOO_LARGE_STRING_SIZE",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    UNKNOWN_COMPRESSION_METHOD: "UNKNOWN_COMPRESSION_METHOD",
    ATTEMPT_TO_READ_AFTER_EOF: "ATTEMPT_TO_READ_AFTER_EOF",
    TOO_LARGE_SIZE_COMPRESSED: "TOO_LARGE_SIZE_COMPRESSED",
    LOGICAL_ERROR: "LOGICAL_ERROR",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
}

# After ClickHouse's exceptionCodeToHTTPStatus; anything not listed is 500, as there.
_STATUS = {
    AUTHENTICATION_FAILED: 401,
    ACCESS_DENIED: 403,
    QUERY_IS_TOO_LARGE: 413,
    TOO_LARGE_BODY: 413,
    NOT_IMPLEMENTED: 501,
    TOO_MANY_SIMULTANEOUS_QUERIES: 503,
    159: 408,  # TIMEOUT_EXCEEDED
    60: 404,  # UNKNOWN_TABLE
    81: 404,  # UNKNOWN_DATABASE
    46: 404,  # UNKNOWN_FUNCTION
    47: 404,  # UNKNOWN_IDENTIFIER
    50: 404,  # UNKNOWN_TYPE
    63: 404,  # UNKNOWN_AGGREGATE_FUNCTION
    115: 404,  # UNKNOWN_SETTING
    16: 404,  # NO_SUCH_COLUMN_IN_TABLE
    73: 404,  # UNKNOWN_FORMAT
    61: 404,  # UNKNOWN_STORAGE
    **dict.fromkeys(
        (6, 26, 27, 32, 33, 36, 38, 40, 41, 42, 43, 44, 51, 52, 53, 62, 70, 72, 89, 117, 130, 131, 164, 179, 271), 400
    ),
}
_STATUS[TOO_LARGE_BODY] = 413
_STATUS[READONLY] = 403

_CODE = re.compile(r"^(?:Failed to [a-z ]+: )?Code: (\d+)\. DB::Exception: ", re.IGNORECASE)
_NAME = re.compile(r" ?\(([A-Z][A-Z0-9_]+)\)$")


class StoreError(Exception):
    """An error to answer a client with."""

    def __init__(self, code: int, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.name = name or _NAMES.get(code, "UNKNOWN_EXCEPTION")

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)

    def text(self, version: str) -> str:
        """The body ClickHouse's clients parse: `Code: N. DB::Exception: …. (NAME) (version V)`."""
        return f"Code: {self.code}. DB::Exception: {self.message} ({self.name}) (version {version})\n"


class StoreUnavailableError(Exception):
    """The store can't start: its path is taken, or it may not listen there."""


def from_engine(text: str) -> StoreError:
    """chDB's message as a StoreError. The engine may repeat the `Code: N.` prefix: the outermost counts."""
    found = _CODE.match(text)
    if not found:
        return StoreError(LOGICAL_ERROR, text.strip())
    code = int(found.group(1))
    rest = text.strip()
    while inner := _CODE.match(rest):
        rest = rest[inner.end() :]
    name = _NAME.search(rest)
    message = rest[: name.start()] if name else rest
    message = re.sub(r"(?: \([A-Z][A-Z0-9_]+\))? \(version [^)]*\)\.?$", "", message)
    return StoreError(code, message.strip(), name.group(1) if name else None)
