"""Conditions in Alertmanager's matcher syntax: ``name="value"``, ``!=``, ``=~``, ``!~``; ``value <= 0.1`` cuts a number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from itertools import repeat
from typing import TypeVar

from sloengine.model import DIMENSIONS, Matcher

Item = TypeVar("Item")
Found = TypeVar("Found")
VALUE = "value"
"""Reserved name: a span's, gauge's or histogram's number."""
VALUE_OPS = ("<=", ">")
MATCHERS_MAX = 50
TEXT_MAX = 1000
_NAME = r"[A-Za-z_][A-Za-z0-9_.\-/]{0,127}"
_HEAD = re.compile(rf"\s*({_NAME})\s*(=~|!~|!=|<=|>=|=|<|>)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_BARE = re.compile(r'[^",\s{}][^",{}]*')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
# What Python's expressions can and RE2 can't: look-around, atomic groups, conditionals, back references, possessive repeats.
_NOT_RE2 = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
_HARMLESS = re.compile(r"\\[^1-9]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"\{(\d*),?(\d*)\}")


class Mistakes(ValueError):
    """Several things wrong with one value, each with the key or index inside it, if it has one."""

    def __init__(self, each: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.each = tuple(each)
        super().__init__("; ".join(words for _, words in self.each))


def shown(text: object) -> str:
    """A user's text inside a message: on one line and not too long."""
    words = str(text).encode("unicode_escape", "replace").decode("ascii") if _strange(str(text)) else str(text)
    return words if len(words) <= 80 else words[:77] + "..."


def _strange(text: str) -> bool:
    return not text.isprintable()


def is_name(text: str) -> bool:
    """Whether it can be a dimension's or an OpenTelemetry attribute's name."""
    return re.fullmatch(_NAME, text) is not None


def read_matchers(written: object) -> tuple[Matcher, ...]:
    """Matchers of a list of texts, of one text with commas, or of a mapping, where a pair means equality.

    Raises:
        ValueError: what can't be read, in words.
    """
    if written is None:
        return ()
    if isinstance(written, Mapping):
        return _bounded(each_of(written.items(), lambda pair: [_equal(*pair)], tuple(written)))
    parts = [written] if isinstance(written, str) else written
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("where is a list of matchers such as 'region=\"eu\"', or a mapping of names to values")
    return _bounded(each_of(parts, _of_text, None if isinstance(written, str) else range(len(parts))))


def each_of(
    parts: Iterable[Item], read: Callable[[Item], Iterable[Found]], keys: Iterable[str | int] | None = None
) -> tuple[Found, ...]:
    """What is read from each of several parts; the mistakes of all of them, not only of the first.

    Raises:
        ValueError: of one part, or of several.
    """
    found: list[Found] = []
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    for part, key in zip(parts, keys if keys is not None else repeat(None)):  # noqa: B905 - one of them has no end
        try:
            found += read(part)
        except ValueError as error:
            wrong.append((() if key is None else (key,), str(error)))
    if wrong:
        raise Mistakes(wrong[:MATCHERS_MAX])
    return tuple(found)


def _bounded(matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    if len(matchers) > MATCHERS_MAX:
        raise ValueError(f"{len(matchers)} matchers; {MATCHERS_MAX} is the most")
    return matchers


def _equal(name: object, value: object) -> Matcher:
    if not isinstance(name, str) or not is_name(name):
        raise ValueError(f"'{shown(name)}' is not an attribute name")
    if name == VALUE:
        raise ValueError("'value' is compared with <= or >, written as 'value <= 0.1'")
    if isinstance(value, bool):
        return Matcher(name, "=", "true" if value else "false")
    if not isinstance(value, str | int | float):
        raise ValueError(f"'{shown(name)}' needs one text or number")
    return _checked(name, "=", str(value))


def _of_text(text: str) -> list[Matcher]:
    """All matchers of one text; braces around them are allowed, as in PromQL."""
    text = text.strip()
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    found, place = [], 0
    while True:
        matcher, place = _one(inner, place)
        found.append(matcher)
        if place >= len(inner):
            return found
        if inner[place] != ",":
            raise ValueError(f"'{shown(inner[place:])}' after a matcher; matchers are separated by commas")
        place += 1
        if not inner[place:].strip():
            return found


def _one(text: str, place: int) -> tuple[Matcher, int]:
    head = _HEAD.match(text, place)
    if not head:
        raise ValueError(f"'{shown(text[place:])}' is not a matcher such as region=\"eu\", version!=1 or value<=0.1")
    name, op = head[1], head[2]
    quoted = _QUOTED.match(text, head.end())
    if quoted:
        return _checked(name, op, _unescaped(quoted[1])), quoted.end()
    bare = _BARE.match(text, head.end())
    if bare and op == "=" and bare[0].startswith("="):
        raise ValueError(f"'{shown(text)}': equality is written with one '=', as in region=\"eu\"")
    if not bare and text[head.end() : head.end() + 1] == '"':
        raise ValueError(f"'{shown(text)}': a quote is not closed")
    if not bare:
        return _checked(name, op, ""), head.end()
    return _checked(name, op, bare[0].rstrip()), bare.end()


def _unescaped(text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ValueError(f"'{shown(found[0])}' is no escape; known: \\\\, \\\", \\n, \\t, \\r")
        return _ESCAPES[found[1]]

    return _ESCAPE.sub(meant, text)


def _checked(name: str, op: str, value: str) -> Matcher:
    if len(value) > TEXT_MAX:
        raise ValueError(f"the value of '{name}' is longer than {TEXT_MAX} characters")
    if "\0" in value or not _is_utf8(value):
        raise ValueError(f"the value of '{name}' holds characters that no attribute can have")
    if name == VALUE or op in ("<", "<=", ">", ">="):
        return _cut(name, op, value)
    # Nothing carries it, so everything would be left out, or with != nothing.
    if name not in DIMENSIONS and name.lower() in DIMENSIONS:
        raise ValueError(f"unknown dimension '{name}'; did you mean '{name.lower()}'?")
    if op in ("=~", "!~"):
        check_pattern(value)
    return Matcher(name, op, value)


def _is_utf8(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def _cut(name: str, op: str, value: str) -> Matcher:
    if name != VALUE:
        raise ValueError(f"'{name} {op}': only 'value' can be compared as a number; attributes are texts")
    if op not in VALUE_OPS:
        raise ValueError(f"'value {op}': buckets hold their upper edge, so write value <= or value >")
    return Matcher(VALUE, op, number_text(value))


def number_text(value: object) -> str:
    """A number as it is written in a matcher, the same text for the same number.

    Raises:
        ValueError: not a finite number.
    """
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"'{shown(value)}' is not a number") from None
    if not number.is_finite() or abs(number) > Decimal("1e300"):
        raise ValueError(f"'{shown(value)}' is not a finite number")
    written = float(number)
    return str(int(written)) if written.is_integer() and abs(written) < 1e15 else repr(written)


def check_pattern(pattern: str) -> None:
    """Refuse what ClickHouse's RE2 would: expressions are matched by both.

    Raises:
        ValueError: not an expression, or not one that RE2 knows.
    """
    try:
        re.compile(pattern, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"'{shown(pattern)}' is not a regular expression: {error}") from None
    rest = _HARMLESS.sub("x", pattern)
    beyond = _NOT_RE2.search(rest)
    if beyond:
        raise ValueError(
            f"'{shown(pattern)}': RE2 has no look-around, back reference, atomic or possessive part ('{beyond[0]}')"
        )
    if any(int(count or 0) > 1000 for found in _REPEAT.finditer(rest) for count in found.groups()):
        raise ValueError(f"'{shown(pattern)}': RE2 repeats at most 1000 times")


def written(matcher: Matcher) -> str:
    """The matcher as text that reads back as itself."""
    if matcher.name == VALUE:
        return f"{VALUE} {matcher.op} {matcher.value}"
    text = matcher.value.replace("\\", "\\\\").replace('"', '\\"')
    for letter, meant in (("n", "\n"), ("t", "\t"), ("r", "\r")):
        text = text.replace(meant, f"\\{letter}")
    return f'{matcher.name}{matcher.op}"{text}"'
