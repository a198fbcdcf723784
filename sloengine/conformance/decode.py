"""Bytes as OTLP requests: protobuf, OTLP JSON, files of either."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

# The engine's own door: what it can't read a device must not send. Its names are private, its reading is not ours to repeat.
from sloengine.otlp.door import _SIGNALS, MAX_BODY_BYTES, PROTOBUF, _gunzip, _RefusedError

JSON = "application/json"
SIGNALS = tuple(_SIGNALS)
_FIELDS = {"traces": "resourceSpans", "metrics": "resourceMetrics", "logs": "resourceLogs"}
_HEX_FIELDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
_GZIP = b"\x1f\x8b"


class UnreadableError(Exception):
    """Bytes that are no OTLP request."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a file, or why there is none. `place` is file or file:line."""

    place: str
    signal: str = ""
    request: Any = None
    problem: str = ""


def decode(signal: str, body: bytes, media: str) -> Message:
    """The export request of a body, decompressed, of content type `media`.

    Raises:
        UnreadableError: it is none; says why.
    """
    request = _SIGNALS[signal].request()
    if media == PROTOBUF:
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            raise UnreadableError(f"not protobuf of {type(request).__name__}: {error}") from error
        return request
    return _from_json(request, _load(body))


def answer(signal: str, media: str) -> bytes:
    """An empty success, in the sender's own encoding."""
    return b"{}" if media == JSON else bytes(_SIGNALS[signal].response().SerializeToString())


def _load(body: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(body)
    except RecursionError:
        raise UnreadableError("JSON nested too deeply") from None
    except ValueError as error:
        raise UnreadableError(f"not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise UnreadableError("not OTLP JSON: the body is no object")
    return loaded


def _from_json(request: Message, loaded: dict[str, Any]) -> Message:
    _ids_as_base64(loaded)
    try:
        json_format.ParseDict(loaded, request, ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableError(f"not OTLP JSON: {error or 'nested too deeply'}") from error
    return request


def _ids_as_base64(loaded: dict[str, Any]) -> None:
    """Ids are hexadecimal in OTLP JSON, where protobuf's JSON has base64. A loop, because nesting is the sender's choice."""
    waiting: list[Any] = [loaded]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            for key in node.keys() & _HEX_FIELDS:
                node[key] = _base64(key, node[key])
            waiting.extend(node.values())


def _base64(key: str, text: object) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(str(text))).decode()
    except ValueError:
        raise UnreadableError(f"{key} is not hexadecimal: {str(text)[:40]!r}") from None


def requests_in(name: str, data: bytes) -> Iterator[Part]:
    """The export requests of a file: OTLP JSON, one a line or one in all, or one protobuf request; gzip if it says so."""
    if data.startswith(_GZIP):
        try:
            data = _gunzip(data, MAX_BODY_BYTES)
        except _RefusedError as error:
            yield Part(name, problem=str(error))
            return
    if data.lstrip()[:1] == b"{" and not _is_protobuf(data):
        yield from _json_requests(name, data)
    else:
        yield _protobuf_request(name, data)


def _json_requests(name: str, data: bytes) -> Iterator[Part]:
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and not _is_json(lines[0][1]):
        lines = [(1, data)]
    for number, line in lines:
        place = f"{name}:{number}"
        try:
            loaded = _load(line)
            signals = [signal for signal, field in _FIELDS.items() if field in loaded]
            if not signals:
                raise UnreadableError(f"no {', '.join(_FIELDS.values())} in it")
            request = _from_json(_SIGNALS[signals[0]].request(), loaded)
        except UnreadableError as error:
            yield Part(place, problem=str(error))
        else:
            yield Part(place, signals[0], request)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_protobuf(data: bytes) -> bool:
    """A protobuf request begins with a line feed, and may go on with a length that is a brace."""
    return data[:1] == b"\n" and bool(_guesses(data))


def _protobuf_request(name: str, data: bytes) -> Part:
    guesses = _guesses(data)
    if not guesses:
        return Part(name, problem="neither OTLP JSON nor a protobuf export request")
    signal = max(guesses, key=lambda s: guesses[s][0])
    return Part(name, signal, guesses[signal][1])


def _guesses(data: bytes) -> Mapping[str, tuple[int, Any]]:
    """By signal: how many bytes have a meaning as its request, and that request.

    All three kinds parse as one another as far as protobuf cares; what is no known field then tells them apart.
    """
    found: dict[str, tuple[int, Any]] = {}
    for signal in SIGNALS:
        request = _SIGNALS[signal].request()
        try:
            request.ParseFromString(data)
        except DecodeError:
            continue
        request.DiscardUnknownFields()
        kept = len(request.SerializeToString())
        if kept and not (signal == "traces" and _has_odd_ids(request)):
            found[signal] = (kept, request)
    return found


def _has_odd_ids(request: Any) -> bool:
    spans = (s for part in request.resource_spans for scope in part.scope_spans for s in scope.spans)
    return any(len(s.trace_id) not in (0, 16) or len(s.span_id) not in (0, 8) for s in spans)
