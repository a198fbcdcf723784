"""Times of the week, month and year in which a route is mute or active: Alertmanager's time intervals. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Span:
    """From ``first`` to ``last``; minutes of a day without the last, everything else with it."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A moment is inside if it is inside one span of each kind; of a kind without spans every moment is."""

    times: tuple[Span, ...] = ()
    """Minutes since midnight, 0 to 1440."""
    weekdays: tuple[Span, ...] = ()
    """Sunday is 0."""
    days_of_month: tuple[Span, ...] = ()
    """1 to 31, or from the month's end: -1 is its last day."""
    months: tuple[Span, ...] = ()
    years: tuple[Span, ...] = ()
    zone: tzinfo = UTC


Intervals = Mapping[str, Sequence[Interval]]
"""By name."""


def contains(interval: Interval, moment: datetime) -> bool:
    there = moment.astimezone(interval.zone)
    minute = there.hour * 60 + there.minute
    return (
        (not interval.times or any(s.first <= minute < s.last for s in interval.times))
        and _in(interval.weekdays, there.isoweekday() % 7)
        and (not interval.days_of_month or any(_has_day(s, there) for s in interval.days_of_month))
        and _in(interval.months, there.month)
        and _in(interval.years, there.year)
    )


def _in(spans: Sequence[Span], value: int) -> bool:
    return not spans or any(s.first <= value <= s.last for s in spans)


def _has_day(span: Span, there: datetime) -> bool:
    length = monthrange(there.year, there.month)[1]
    first, last = (day if day > 0 else length + 1 + day for day in (span.first, span.last))
    return first <= there.day <= last


def within(names: Iterable[str], intervals: Intervals, moment: datetime) -> str | None:
    """The first of these intervals that the moment is in."""
    return next((name for name in names if any(contains(i, moment) for i in intervals[name])), None)
