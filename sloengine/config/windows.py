"""OpenSLO's time windows: ``30d`` rolling, ``1M`` of the calendar in a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from sloengine.config.matchers import shown
from sloengine.model import Calendar
from sloengine.times import TooLong, format_duration, parse_duration

MAX_WINDOW = timedelta(days=400)
"""How long the bucket tables keep what they count; a longer promise would be judged on a part of itself."""
_UNITS = {"d": "day", "w": "week", "M": "month", "Q": "quarter", "Y": "year"}
NOMINAL = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
"""Days that a unit counts as where the calendar doesn't say: in rolling windows, and for how long a period is about."""
_SHORTHAND = re.compile(r"([0-9]{1,6})([dwMQY])")
_WALL = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")


def span(text: str) -> timedelta:
    """``"30d"``, ``"1h30m"``, ``"1M"`` (30 days), ``"1Q"`` (90), ``"1Y"`` (365).

    Raises:
        ValueError: not a duration, zero, or beyond what a duration can hold.
    """
    found = _SHORTHAND.fullmatch(text)
    try:
        if found:
            text = f"{int(found[1]) * NOMINAL[_UNITS[found[2]]]}d"
        return parse_duration(text)
    except TooLong:
        raise ValueError(f"'{shown(text)}' is longer than any window") from None


def rolling(text: str) -> timedelta:
    """Length of a rolling window.

    Raises:
        ValueError: no duration, or longer than buckets are kept.
    """
    try:
        length = span(text)
    except ValueError as error:
        if "longer than any" in str(error):
            length = MAX_WINDOW * 2
        else:
            raise
    if length > MAX_WINDOW:
        raise ValueError(
            f"window '{shown(text)}' is longer than {format_duration(MAX_WINDOW)}, how long buckets are kept"
        )
    return length


def calendar(duration: str, start: str, zone: str) -> tuple[timedelta, Calendar]:
    """Nominal length and periods of a calendar window.

    Raises:
        ValueError: a unit that no calendar has, a start that is no date and time, an unknown zone; with near names.
    """
    found = _SHORTHAND.fullmatch(duration)
    if not found or int(found[1]) == 0:
        hint = f"; did you mean '{duration[:-1]}M'? m is minutes" if re.fullmatch(r"\d+m", duration) else ""
        raise ValueError(f"'{shown(duration)}' is no calendar window: it is counted in d, w, M, Q or Y{hint}")
    unit = _UNITS[found[2]]
    length = timedelta(days=int(found[1]) * NOMINAL[unit])
    if length > MAX_WINDOW:
        raise ValueError(
            f"window '{shown(duration)}' is longer than {format_duration(MAX_WINDOW)}, how long buckets are kept"
        )
    return length, Calendar(int(found[1]), unit, wall(start), zone_name(zone))


def calendar_mistakes(duration: str, start: str, zone: str) -> list[tuple[str, str]]:
    """All that is wrong with a calendar window, each with the key of OpenSLO's that it is about."""
    wrong = []
    for key, read in (
        ("duration", lambda: calendar(duration, "2026-01-01 00:00:00", "UTC")),
        ("startTime", lambda: wall(start)),
        ("timeZone", lambda: zone_name(zone)),
    ):
        try:
            read()
        except ValueError as error:
            wrong.append((key, str(error)))
    return wrong


def wall(text: str) -> datetime:
    """A local date and time, naive.

    Raises:
        ValueError: not of the form ``2026-01-01 00:00:00``, no such moment, or outside 1970 to 2100.
    """
    if not _WALL.fullmatch(text.strip()):
        raise ValueError(f"'{shown(text)}' is not a local date and time such as 2026-01-01 00:00:00, without a zone")
    moment = datetime.fromisoformat(text.strip())
    if not 1970 <= moment.year <= 2100:
        raise ValueError(f"'{shown(text)}' is not between 1970 and 2100")
    return moment


def instant(text: str, zone: str) -> datetime:
    """A moment in UTC: with its own offset, or on the clocks of ``zone``; a date is its midnight.

    Raises:
        ValueError: not a date and time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"'{shown(text)}' is not a date and time such as 2026-01-01 or 2026-01-01T06:00:00Z") from None
    if not 1970 <= moment.year <= 2100:
        raise ValueError(f"'{shown(text)}' is not between 1970 and 2100")
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone_name(zone)))).astimezone(UTC)


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def zone_name(name: str) -> str:
    """The zone itself, if there is one.

    Raises:
        ValueError: unknown; with near names.
    """
    if name in _zones().values():
        return name
    near = [_zones()[low] for low in get_close_matches(name.lower(), _zones(), n=2, cutoff=0.7)]
    hint = (
        f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "; zones are named as in the IANA database"
    )
    raise ValueError(f"unknown time zone '{shown(name)}'{hint}")


def duration_text(length: timedelta) -> str:
    """A rolling window as it is written."""
    return format_duration(length)


def calendar_text(periods: Calendar) -> str:
    letter = next(letter for letter, unit in _UNITS.items() if unit == periods.unit)
    return f"{periods.count}{letter}"
