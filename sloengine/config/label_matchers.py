"""Matchers on alert labels as Alertmanager writes them, its older and its newer form: ``severity="page"``, ``team=~"a|b"``,
``"edge.model"="digits"``. Matchers of telemetry are another matter: ``sloengine.config.matchers``."""

from __future__ import annotations

import re
import warnings

from sloengine.config.matchers import MATCHERS_MAX, TEXT_MAX, check_pattern, shown
from sloengine.model import Matcher

_HEAD = re.compile(r'\s*(?:([A-Za-z_:][A-Za-z0-9_:]*)|"((?:[^"\\]|\\.)+)")\s*(=~|!~|!=|=)\s*', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_BARE = re.compile(r'[^",]*')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", '"': '"', "\\": "\\"}
# What Python takes and reads otherwise than RE2, or RE2 refuses. Flags at the front are harmless: i, m and s mean the same.
_DIFFERS = (
    (re.compile(r"\[[^\]]*\[:"), "a class such as [[:alpha:]], which Python reads otherwise"),
    (re.compile(r"\(\?[a-zA-Z-]*[auLxU][a-zA-Z-]*[:)]"), "a flag that Go or Python lacks"),
    (re.compile(r"\(\?#"), "a comment, which Go lacks"),
    (re.compile(r"\\[ZuUN]"), "an escape that Go lacks"),
    (re.compile(r"\{,\d+\}"), "a repeat without a lower bound, which Go takes for a text"),
)
_IGNORES_CASE = re.compile(r"\(\?[a-z]*i")


def read_label_matchers(text: object) -> tuple[Matcher, ...]:
    """Matchers of one text, separated by commas, in braces or not.

    Raises:
        ValueError: what can't be read, in words.
    """
    if not isinstance(text, str):
        raise ValueError("a matcher is a text such as 'severity=\"page\"'")
    inner = text.strip().removeprefix("{").removesuffix("}")
    found: list[Matcher] = []
    place = 0
    while inner[place:].strip():
        matcher, place = _one(inner, place)
        found.append(matcher)
    if not found:
        raise ValueError("a matcher is a text such as 'severity=\"page\"', and this one is empty")
    if len(found) > MATCHERS_MAX:
        raise ValueError(f"{len(found)} matchers; {MATCHERS_MAX} is the most")
    return tuple(found)


def _one(text: str, place: int) -> tuple[Matcher, int]:
    head = _HEAD.match(text, place)
    if not head:
        raise ValueError(f'\'{shown(text[place:].strip())}\' is not a matcher such as severity="page" or team!~"a|b"')
    name = head[1] or _unescaped(head[2])
    quoted = _QUOTED.match(text, head.end())
    if quoted:
        value, end = _unescaped(quoted[1]), quoted.end()
    else:
        bare = _BARE.match(text, head.end())
        value, end = _unescaped(bare[0].strip()) if bare else "", bare.end() if bare else head.end()
    if text[end : end + 1] not in ("", ","):
        raise ValueError(
            f"'{shown(text.strip())}': a quote inside a value is written \\\", and a value has two or none"
        )
    return label_matcher(name, head[3], value), end + 1


def _unescaped(text: str) -> str:
    """Alertmanager knows three escapes; before any other letter a backslash is itself, as expressions need."""
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[0]), text)


def label_matcher(name: str, op: str, value: str) -> Matcher:
    """A matcher whose expression means the same here as in Alertmanager.

    Raises:
        ValueError: it would not, or it is none.
    """
    if len(value) > TEXT_MAX:
        raise ValueError(f"the value of '{shown(name)}' is longer than {TEXT_MAX} characters")
    if op in ("=~", "!~"):
        check_expression(value)
    return Matcher(name, op, value)


def check_expression(pattern: str) -> None:
    """Refuse an expression that Python can't take or would read otherwise than Go's RE2.

    Raises:
        ValueError: why, in words.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of nested sets, which are refused below with better words
        check_pattern(pattern)
    for differing, why in _DIFFERS:
        if found := differing.search(pattern):
            raise ValueError(f"'{shown(pattern)}': '{shown(found[0])}' is {why}")
    if _IGNORES_CASE.search(pattern) and not pattern.isascii():
        raise ValueError(f"'{shown(pattern)}': (?i) of other letters than ASCII's differs between Go and Python")
