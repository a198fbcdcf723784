"""One label as somebody sends it, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from sloengine.times import utc

FIELDS = ("prediction_id", "truth", "at", "source", "service")
TEXT_MAX = 256
"""Characters; devices cut ids and classes there, so a longer one would meet nothing."""
AHEAD = timedelta(hours=1)
"""How far a clock may be ahead of ours."""
KEPT = timedelta(days=400)
"""How long predictions are kept: a label given longer ago can't be about one that is still there."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a prediction should have been."""

    prediction_id: str
    truth: str
    at: datetime
    """When it was given."""
    source: str = ""
    service: str = ""
    """Whose prediction; empty: any service's of this id."""


@dataclass(frozen=True, slots=True)
class BadLabel:
    """Where something is wrong, and what to do."""

    place: int
    """Index in an array from 0, or line of a text from 1."""
    message: str


def check(item: object, now: datetime) -> Label | str:
    """The label, or all that is wrong with it. A label without a time was given now."""
    if not isinstance(item, Mapping):
        return f'expected an object such as {{"prediction_id": "p-1", "truth": "cat"}}, found {_shown(item)}'
    wrong = [_unknown(str(name)) for name in item if name not in FIELDS]
    texts = {name: _text(item, name, wrong) for name in FIELDS if name != "at"}
    at = _moment(item.get("at"), now, wrong)
    wrong += [f"'{name}' is missing" for name in ("prediction_id", "truth") if _absent(item.get(name))]
    if wrong:
        return "; ".join(wrong)
    return Label(texts["prediction_id"], texts["truth"], at, texts["source"], texts["service"])


def _unknown(name: str) -> str:
    near = get_close_matches(name, FIELDS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(FIELDS)}"
    return f"unknown field {_shown(name)}; {hint}"


def _absent(value: object) -> bool:
    return value is None or value == ""


def _text(item: Mapping[object, object], name: str, wrong: list[str]) -> str:
    value = item.get(name)
    if _absent(value):
        return ""
    # A class or id that is a whole number is written without quotes by half of all tools; a fraction or true has no one spelling.
    if isinstance(value, bool) or not isinstance(value, str | int):
        wrong.append(f"'{name}' must be a text, found {_shown(value)}; put it in quotes")
        return ""
    text = str(value) if isinstance(value, str) or abs(value) < 10**18 else ""
    if not text or len(text) > TEXT_MAX:
        wrong.append(f"'{name}' has more than {TEXT_MAX if text else 18} characters; devices send no longer ones")
    elif not _encodes(text):
        wrong.append(f"'{name}' holds characters that are not Unicode text; send UTF-8")
    return text


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(value: object, now: datetime, wrong: list[str]) -> datetime:
    if _absent(value):
        return now
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        wrong.append(f"'at' must be an ISO 8601 time such as {now:%Y-%m-%dT%H:%M:%SZ}, found {_shown(value)}")
        return now
    if found.tzinfo is None:
        wrong.append(f"'at' has no time zone: write {_shown(value)} with Z or an offset such as +02:00")
        return now
    return _bounded(found, now, wrong)


def _bounded(found: datetime, now: datetime, wrong: list[str]) -> datetime:
    # Before the zone is applied: the first and last hours of what a datetime can say have no UTC.
    if not 1971 <= found.year <= 2200:
        wrong.append(f"'at' is in the year {found.year}; send the time when the label was given, or none")
        return now
    at = utc(found)
    if at > now + AHEAD:
        wrong.append(f"'at' is in the future: {at:%Y-%m-%dT%H:%M:%SZ}; it is {now:%Y-%m-%dT%H:%M:%SZ} here")
    if at < now - KEPT:
        wrong.append(f"'at' is more than {KEPT.days} days ago; predictions of that time are no longer kept")
    return at


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
