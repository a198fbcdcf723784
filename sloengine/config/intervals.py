"""``time_intervals`` of Alertmanager: their shape, and the values that are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from sloengine.alert.intervals import Interval, Span
from sloengine.config.documents import Strict
from sloengine.config.matchers import shown
from sloengine.config.windows import zone_name

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
SHORTEST_MONTH = 28
_TIME = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


def _span(text: object, number: Callable[[str], int]) -> Span:
    """``monday:friday`` or a single one."""
    first, colon, last = str(text).strip().lower().partition(":")
    return Span(number(first), number(last if colon else first))


def _ordered(span: Span, text: object) -> Span:
    if span.first > span.last:
        raise ValueError(f"'{shown(text)}' ends before it begins")
    return span


def _weekday(name: str) -> int:
    if name not in WEEKDAYS:
        raise ValueError(f"'{shown(name)}' is not a weekday such as monday, or monday:friday")
    return WEEKDAYS.index(name)


def _month(name: str) -> int:
    if name in MONTHS:
        return MONTHS.index(name) + 1
    return _whole(name, 1, len(MONTHS), "a month such as may, 5, or may:august")


def _day(name: str) -> int:
    day = _whole(name, -31, 31, "a day of a month such as 1, -1 for the last, or 1:7")
    if day == 0:
        raise ValueError("a month has no day 0; its last day is -1")
    return day


def _year(name: str) -> int:
    return _whole(name, 0, 9999, "a year such as 2026, or 2026:2028")


def _whole(name: str, least: int, most: int, what: str) -> int:
    try:
        value = int(name)
    except ValueError:
        raise ValueError(f"'{shown(name)}' is not {what}") from None
    if not least <= value <= most:
        raise ValueError(f"{value} is not {what}")
    return value


def _days(text: object) -> Span:
    span = _span(text, _day)
    if span.first < 0 < span.last:
        raise ValueError(f"'{shown(text)}': a span that begins from the month's end ends there too")
    counted = [day if day > 0 else SHORTEST_MONTH + day for day in (span.first, span.last)]
    if counted[0] > counted[1]:
        raise ValueError(f"'{shown(text)}' ends before it begins in every month")
    return span


def _one(read: Callable[[object], Span]) -> BeforeValidator:
    return BeforeValidator(lambda value: value if isinstance(value, Span) else read(value))


def _minute(text: object) -> object:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    found = _TIME.fullmatch(str(text))
    if not found:
        raise ValueError(f"'{shown(text)}' is not a time of day such as 09:00 or 24:00")
    return int(found[1]) * 60 + int(found[2]) if found[1] else 24 * 60


class TimesOfDay(Strict):
    start_time: Annotated[int, BeforeValidator(_minute)]
    end_time: Annotated[int, BeforeValidator(_minute)]

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.start_time >= self.end_time:
            raise ValueError("start_time is not before end_time: what goes on after midnight is written as two")
        return self


def _given(value: object) -> object:
    return [] if value is None else value


Weekdays = Annotated[Span, _one(lambda text: _ordered(_span(text, _weekday), text))]
Days = Annotated[Span, _one(_days)]
Months = Annotated[Span, _one(lambda text: _ordered(_span(text, _month), text))]
Years = Annotated[Span, _one(lambda text: _ordered(_span(text, _year), text))]


class TimesOf(Strict):
    """One of several spells of a named interval."""

    times: Annotated[list[TimesOfDay], BeforeValidator(_given)] = Field(default=[])
    weekdays: Annotated[list[Weekdays], BeforeValidator(_given)] = Field(default=[])
    days_of_month: Annotated[list[Days], BeforeValidator(_given)] = Field(default=[])
    months: Annotated[list[Months], BeforeValidator(_given)] = Field(default=[])
    years: Annotated[list[Years], BeforeValidator(_given)] = Field(default=[])
    location: Annotated[str, BeforeValidator(lambda value: zone_name(str(value)))] = "UTC"

    def value(self) -> Interval:
        zone: tzinfo = UTC if self.location == "UTC" else ZoneInfo(self.location)
        return Interval(
            tuple(Span(t.start_time, t.end_time) for t in self.times),
            tuple(self.weekdays),
            tuple(self.days_of_month),
            tuple(self.months),
            tuple(self.years),
            zone,
        )


class NamedInterval(Strict):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    time_intervals: Annotated[list[TimesOf], BeforeValidator(_given)] = Field(default=[])
