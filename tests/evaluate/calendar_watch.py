"""Clocks and calendars that somebody watches: the oracle for everything about local time."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from sloengine.model import Calendar, Exclusion, Matcher

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"
LORD_HOWE, CAIRO, APIA = "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001


zones = st.sampled_from([BERLIN, NEW_YORK, KOLKATA, LORD_HOWE, CAIRO, "America/Santiago", "UTC"])
walls = st.datetimes(local(2024, 1, 1), local(2027, 12, 31)).map(lambda t: t.replace(second=0, microsecond=0))
instants = walls.map(lambda t: t.replace(tzinfo=UTC))
calendars = st.builds(
    lambda length, start, zone: Calendar(length[0], length[1], start, zone),
    st.sampled_from(
        [(1, "day"), (3, "day"), (1, "week"), (4, "week"), (1, "month"), (2, "month"), (1, "quarter"), (1, "year")]
    ),
    walls,
    zones,
)


def spell(interval: tuple[datetime, datetime]) -> tuple[str, str]:
    return interval[0].strftime("%Y-%m-%dT%H:%M"), interval[1].strftime("%Y-%m-%dT%H:%M")


# The oracle: look at the clock each minute.


@cache
def first_shown(wall: datetime, zone: str) -> datetime:
    """The first minute at which the clock shows this; if it jumps over it, where a clock left alone would have shown it."""
    minute = wall.replace(tzinfo=UTC) - 40 * HOUR
    before = minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    while True:
        shown = (minute + MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if before < wall < shown:
            return minute + (wall - before)
        minute, before = minute + MINUTE, shown
        if shown == wall:
            return minute


def edge_days(window: Calendar, step: int) -> Iterator[date]:
    """The days on which a period begins, found by turning the pages of a calendar one by one."""
    day, pages = window.start.date(), 0
    unit = {"day": 1, "week": 7, "month": 1, "quarter": 3, "year": 12}[window.unit]
    while True:
        if pages % (window.count * unit) == 0:
            yield day
        turned = False
        while not turned:
            day += step * DAY
            last = calendar.monthrange(day.year, day.month)[1]
            turned = window.unit in ("day", "week") or day.day == min(window.start.day, last)
        pages += 1


def walked_bounds(window: Calendar, moment: datetime) -> tuple[datetime, datetime]:
    days: set[date] = set()
    for step in (1, -1):
        for day in edge_days(window, step):
            if abs(day - moment.date()) <= 800 * DAY:
                days.add(day)
            elif (day > moment.date()) == (step > 0):
                break
    near = sorted(days, key=lambda day: abs(day - moment.date()))[:6]
    edges = [first_shown(datetime.combine(day, window.start.time()), window.zone) for day in near]
    return max(e for e in edges if e <= moment), min(e for e in edges if e > moment)


def some(values: list[Any], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(
        lambda v: ",".join(map(str, v))
    )


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, datetime]:
    """A rule and a start. Nothing that never happens (such as every second month, from a June, in May): dateutil would look
    for it until the year 9999. No numbered weekday beside a plain one: dateutil asks for both at once, RFC 5545 for either."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    start = draw(walls)
    interval = draw(st.integers(1, 4))
    parts = [f"FREQ={freq}", f"INTERVAL={interval}", f"WKST={draw(st.sampled_from(['MO', 'SU', 'WE']))}"]
    what = draw(st.sampled_from(["nothing", "days", "month days", "numbered", "position"]))
    numbered = freq in ("MONTHLY", "YEARLY")
    if what == "days":
        parts.append("BYDAY=" + draw(some(["MO", "TU", "FR", "SA", "SU"])))
    elif what == "month days" and freq != "WEEKLY":
        parts.append("BYMONTHDAY=" + draw(some([1, 2, 15, 28, -1, -28])))
    elif what == "numbered" and numbered:
        parts.append("BYDAY=" + draw(some(["1MO", "2SU", "-1FR", "-2MO", "4TU"])))
    elif what == "position" and numbered:
        parts += ["BYDAY=MO,TU,WE,TH,FR", "BYSETPOS=" + draw(some([1, -1, 2, -2]))]
    if draw(st.booleans()) and (freq != "MONTHLY" or interval == 1):
        parts.append("BYMONTH=" + draw(some(list(range(1, 13)), 6)))
        start = start.replace(day=min(start.day, 28))
    if draw(st.booleans()):
        parts.append("BYHOUR=" + draw(some([0, 2, 12, 23])))
    if draw(st.booleans()):
        parts.append("BYMINUTE=" + draw(some([0, 30, 59])))
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    return ";".join(parts), start


def exclusion(rrule: str | None = None, **changes: Any) -> Exclusion:
    """Two hours from two in Berlin, first on 1 January 2026."""
    given_fields: dict[str, Any] = {
        "name": "maintenance",
        "reason": "firmware",
        "where": (Matcher("region", "=", "eu-north"),),
        "start": at("2026-01-01T01:00"),
        "duration": 2 * HOUR,
        "rrule": rrule,
        "zone": BERLIN,
    }
    return Exclusion(**(given_fields | changes))
