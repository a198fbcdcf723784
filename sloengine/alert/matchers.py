"""Which labels a matcher means, and how Alertmanager writes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from sloengine.model import Matcher

_FLAGS = re.compile(r"^\^\(\?:(\(\?[ims]+\))")
OPS = ("=", "!=", "=~", "!~")
_ESCAPES = dict(zip('"\\\a\b\f\n\r\t\v', ('\\"', "\\\\", *(f"\\{letter}" for letter in "abfnrtv")), strict=True))


def matches(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """A label that is not there is empty; expressions are anchored on both sides."""
    value = labels.get(matcher.name, "")
    if matcher.op in ("=", "!="):
        return (value == matcher.value) == (matcher.op == "=")
    return (_compiled(matcher.value).fullmatch(value) is not None) == (matcher.op == "=~")


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matches(matcher, labels) for matcher in matchers)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Flags stand first in Python, and behind the anchor in match_re. Classes are of ASCII in RE2, of all alphabets in Python.
    return re.compile(_FLAGS.sub(r"\1^(?:", pattern), re.ASCII)


def in_order(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """The order in which Alertmanager writes them."""
    return tuple(sorted(matchers, key=lambda m: (m.name, m.value, OPS.index(m.op))))


def written(matchers: Iterable[Matcher]) -> str:
    """``{severity="page",team=~"a|b"}``: part of group keys, so that it must stay as Alertmanager writes it."""
    return "{" + ",".join(f'{m.name}{m.op}"{_escaped(m.value)}"' for m in matchers) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def labels_written(labels: Mapping[str, str]) -> str:
    """``{alertname="X", team="y"}``, values quoted as Go does."""
    return "{" + ", ".join(sorted(f"{name}={_quoted(value)}" for name, value in labels.items())) + "}"


def _quoted(text: str) -> str:
    return '"' + "".join(map(_go, text)) + '"'


def _go(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
