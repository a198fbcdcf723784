"""OTLP attribute values as the text that the collector's clickhouseexporter stores, cut and redacted as by the gateway.

The text forms follow pdata's Value.AsString (collector v0.161.0): ES6 numbers, base64 bytes, JSON with sorted keys for
lists and maps. The redaction patterns are those of collector/gateway.yaml; a test compares the two lists.
"""

import base64
import json
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

VALUE_BYTES_MAX = 4096
BODY_BYTES_MAX = 65536

MASK = "****"
IGNORED_KEYS = (
    "service.name",
    "service.version",
    "device.id",
    "edge.region",
    "edge.gateway.id",
    "edge.gateway.received_unix_nano",
    "edge.clock.sent_unix_nano",
    "edge.model.name",
    "edge.model.version",
    "edge.rollout.id",
    "edge.rollout.wave",
)
BLOCKED_KEY_PATTERNS = (
    r"(?i)(^|[._-])(passwd|password|secret|token|api[_-]?key|authorization|cookie|credentials?|private[_-]?key)$",
)
CARD = (
    r"(^|[^0-9A-Za-z_.-]|[^0-9][.-])"
    r"((?:4[0-9]{3}|5[1-5][0-9]{2}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)|6(?:011|4[4-9][0-9]|5[0-9]{2}))"
    r"(?:[ -]?[0-9]{4}){3}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5})\b"
)
"""A card number and what stands before it; the digits alone can't be told from the fraction of a number."""
MARK = "¤"
"""Put before a card number in texts, so that masking takes the mark and not what stood there; as the gateway does."""
BLOCKED_VALUES = (
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}",
    CARD,
    r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*",
    r"(?i)\b(bearer|basic) [a-z0-9._~+/=-]{8,}",
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?",
)


def _compile(pattern: str) -> re.Pattern[str]:
    # RE2's $ is the very end of the text, Python's also stands before a last newline; RE2's \b knows ASCII only.
    return re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)


_IGNORED_KEYS = frozenset(IGNORED_KEYS)
_KEYS = tuple(_compile(pattern) for pattern in BLOCKED_KEY_PATTERNS)
_VALUES = tuple(_compile(pattern) for pattern in BLOCKED_VALUES)
_CARD = _compile(CARD)


def attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes of a resource, scope, span, event, point or log record: cut, redacted, as text, sorted by key.

    Of a key that is there twice, which OTLP forbids, the first counts.
    """
    texts: dict[str, str] = {}
    for pair in pairs:
        if pair.key not in texts:
            texts[pair.key] = _attribute(pair.key, pair.value)
    return dict(sorted(texts.items()))


def plain_attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes of links and exemplars, which no processor of the collector can reach: as text only, sorted by key."""
    texts: dict[str, str] = {}
    for pair in pairs:
        texts.setdefault(pair.key, as_string(pair.value))
    return dict(sorted(texts.items()))


def _attribute(key: str, value: AnyValue) -> str:
    is_text = value.WhichOneof("value") == "string_value"
    text = truncate(value.string_value, VALUE_BYTES_MAX) if is_text else ""
    if key in _IGNORED_KEYS:
        return text if is_text else as_string(value)
    if _key_is_blocked(key):
        return mask_all(text)
    return mask_parts(text) if is_text else as_string(value)


def _key_is_blocked(key: str) -> bool:
    return any(pattern.search(key) for pattern in _KEYS)


def mask_all(text: str) -> str:
    """Every line of the text as the mask: the collector's `.*` does not match line ends."""
    return "\n".join(MASK for _ in text.split("\n"))


def mask_parts(text: str) -> str:
    """The text with what looks like an address, a card number or a credential masked."""
    return _masked(_CARD.sub(rf"\1{MARK}\2", text))


def _masked(text: str) -> str:
    for pattern in _VALUES:
        text = pattern.sub(MASK, text)
    return text


def truncate(text: str, bytes_max: int) -> str:
    """At most bytes_max bytes of UTF-8, never half a character."""
    if len(text) * 4 <= bytes_max:
        return text
    data = text.encode()
    return text if len(data) <= bytes_max else data[:bytes_max].decode(errors="ignore")


def body(value: AnyValue) -> str:
    """A log record's body: text is cut and redacted, maps and lists are redacted in depth (by key and by value)."""
    kind = value.WhichOneof("value")
    if kind in ("kvlist_value", "array_value"):
        return _json(_redacted(value))
    if kind == "string_value":
        return mask_parts(truncate(value.string_value, BODY_BYTES_MAX))
    return _masked(as_string(value))


def _redacted(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: _redacted_field(pair) for pair in value.kvlist_value.values}
    if kind == "array_value":
        return [_redacted(item) for item in value.array_value.values]
    text = as_string(value)
    # Nothing marks what is inside of maps: the character before a card number goes with it.
    masked = _masked(text)
    return _raw(value) if masked == text else masked


def _redacted_field(pair: KeyValue) -> object:
    if pair.key in _IGNORED_KEYS:
        return _raw(pair.value)
    return mask_all(pair.value.string_value) if _key_is_blocked(pair.key) else _redacted(pair.value)


def as_string(value: AnyValue) -> str:
    """The value as text: pdata's Value.AsString."""
    raw = _raw(value)
    if raw is None:
        return ""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return str(raw)
    if isinstance(raw, float):
        return number(raw)
    return base64.b64encode(raw).decode() if isinstance(raw, bytes) else _json(raw)


def _raw(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: _raw(pair.value) for pair in value.kvlist_value.values}
    if kind == "array_value":
        return [_raw(item) for item in value.array_value.values]
    # None: nothing set, or a kind that is younger than this code.
    return (
        getattr(value, kind)
        if kind in ("string_value", "bool_value", "int_value", "double_value", "bytes_value")
        else None
    )


def number(value: float) -> str:
    """A float as ECMAScript writes it, which is what Go's JSON and pdata do: 1 for 1.0, 1e-7, 1e+21, Infinity, NaN."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shortest = repr(value)
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        return re.sub(r"\.0(?=e)", "", shortest).replace("e-0", "e-")
    return format(Decimal(shortest), "f").removesuffix(".0")


def _json(raw: object) -> str:
    # Go's encoder refuses NaN and infinities anywhere inside, and pdata then stores nothing.
    try:
        return "".join(_encode(raw))
    except ValueError:
        return ""


def _encode(raw: object) -> Iterable[str]:
    if isinstance(raw, dict):
        yield "{"
        for index, key in enumerate(sorted(raw)):
            yield f"{',' if index else ''}{_quoted(key)}:"
            yield from _encode(raw[key])
        yield "}"
    elif isinstance(raw, Sequence) and not isinstance(raw, str | bytes):
        yield "["
        for index, item in enumerate(raw):
            yield "," if index else ""
            yield from _encode(item)
        yield "]"
    else:
        yield _scalar(raw)


def _scalar(raw: object) -> str:
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise ValueError("JSON has no NaN and no infinity")
        return number(raw)
    if isinstance(raw, bytes):
        return _quoted(base64.b64encode(raw).decode())
    return _quoted(raw) if isinstance(raw, str) else json.dumps(raw)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
