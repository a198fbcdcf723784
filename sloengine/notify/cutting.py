"""Texts made to fit: never over a limit or inside a character, whole entries before parts, and what is left out is counted."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

Measure = Callable[[str], int]
"""How long a text is to whoever limits it; must not fall when a text grows."""
ELLIPSIS = "…"
_BACK = 24
"""How far back a cut looks for the end of a word."""
_JOINERS = "\u200d\ufe0e\ufe0f"
_UNPRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def units(text: str) -> int:
    """UTF-16 units: as JavaScript counts; never less than a count of characters, so both kinds of limit are held."""
    return len(text) + sum(c > "\uffff" for c in text)


def octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def clean(text: str) -> str:
    """What can be sent and read: no halves of surrogate pairs, which UTF-8 has no form for, and no control characters, which end
    headers and turn lines around. Line ends and tabs stay."""
    whole = text.replace("\r\n", "\n").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _UNPRINTED.sub("\ufffd", whole)


def line(text: str) -> str:
    """:func:`clean`, on one line."""
    return " ".join(clean(text).split())


def cut(text: str, limit: int, measure: Measure = units) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if measure(text) <= limit:
        return text
    if measure(ELLIPSIS) > limit:
        return ""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = measure(text[:middle] + ELLIPSIS) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[: _end(text, low)].rstrip() + ELLIPSIS


def _end(text: str, at: int) -> int:
    """A place to cut at, not after ``at``: between words if one is near, never before a sign that is part of the one before."""
    space = text.rfind(" ", max(0, at - _BACK), at + 1)
    end = space if space > 0 else at
    while end > 0 and (_belongs(text[end]) or text[end - 1] == _JOINERS[0]):
        end -= 1
    return end


def _belongs(sign: str) -> bool:
    return sign in _JOINERS or unicodedata.category(sign).startswith("M")


def fit_key(key: str, limit: int) -> str:
    """A key that fits. A long one is hashed: two that are cut short could become one, and close each other's incidents."""
    if units(key) <= limit and key == clean(key):
        return key
    return f"sha256-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"[:limit]


def fit(
    entries: Sequence[str], limit: int, more: Callable[[int], str], measure: Measure = units, *, always: bool = False
) -> str:
    """As many whole entries, one on a line, from the first on, as fit; then ``more(left out)``, if none is left out only if
    ``always``. If not even one fits, its beginning."""
    between = "\n"
    whole = between.join(entries)
    if not entries or (measure(whole) <= limit and not always):
        return whole
    for kept in range(_count(entries, limit, measure, between), 0, -1):
        text = between.join([*entries[:kept], more(len(entries) - kept)])
        if measure(text) <= limit:
            return text
    rest = between + more(len(entries) - 1) if always or len(entries) > 1 else ""
    first = cut(entries[0], limit - measure(rest), measure)
    return first + rest if first else cut(more(len(entries)), limit, measure)


def _count(entries: Iterable[str], limit: int, measure: Measure, between: str) -> int:
    """How many entries fit with nothing after them."""
    used, kept = 0, 0
    for entry in entries:
        used += measure(entry) + (measure(between) if kept else 0)
        if used > limit:
            break
        kept += 1
    return kept


def fit_map(entries: Mapping[str, str], limit: int, key_max: int, value_max: int) -> dict[str, str]:
    """As many entries as fit, by the lengths of keys and values together, each value cut to its own limit; keys are never cut:
    two of them could become one."""
    kept: dict[str, str] = {}
    used = 0
    for key, value in entries.items():
        name, text = line(key), cut(clean(value), value_max)
        used += units(name) + units(text)
        if used > limit:
            break
        if name and units(name) <= key_max:
            kept[name] = text
    return kept
