"""Recurrence rules of RFC 5545 (RRULE) on local clocks, in work bounded by the time asked about. Pure.

Each period of a rule is computed from its number, so nothing is walked from the beginning, and a rule that never
happens costs no more than one that does. Libraries walk: 30 February every day keeps them busy for seconds at each question.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from itertools import islice
from typing import Literal, get_args

Freq = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]

TEXT_MAX = 400
COUNT_MAX = 10_000
INTERVAL_MAX = 1_000
TIMES_A_DAY_MAX = 24
YEARS_AHEAD = 100
"""How far a COUNT is counted."""

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KEYS = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYMONTH",
    "BYMONTHDAY",
    "BYDAY",
    "BYHOUR",
    "BYMINUTE",
    "BYSETPOS",
}
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule; empty sets restrict nothing."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    """The last start: aware if the rule said so with Z, else on the local clock. A date means its last minute. The caller
    applies it, because only the caller knows the zone."""
    week_start: int = 0
    months: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    weekdays: frozenset[tuple[int, int]] = frozenset()
    """(n-th or 0 for every, weekday from Monday 0)."""
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()


def starts(rule: Rule, start: datetime, lo: datetime, hi: datetime) -> list[datetime]:
    """Local starts in ``[lo, hi]``, none before ``start``, sorted; COUNT applied, UNTIL not.

    ``start`` gives what the rule leaves open (weekday, day, time); it is an occurrence only if the rule meets it.
    """
    lo = max(lo, start)
    if rule.count is not None:
        hi = min(hi, _last(rule, start))
    return [moment for moment in _walk(_filled(rule, start), start, lo, hi) if lo <= moment <= hi]


@lru_cache(maxsize=1024)
def _last(rule: Rule, start: datetime) -> datetime:
    found = list(islice(_from(rule, start), rule.count))
    return found[-1] if len(found) == rule.count else datetime(9999, 12, 31)  # noqa: DTZ001


def _from(rule: Rule, start: datetime) -> Iterator[datetime]:
    end = datetime(start.year + YEARS_AHEAD, 1, 1)  # noqa: DTZ001
    return (moment for moment in _walk(_filled(rule, start), start, start, end) if moment >= start)


def _filled(rule: Rule, start: datetime) -> Rule:
    """What the rule leaves open, from its start (RFC 5545, section 3.3.10)."""
    rule = replace(rule, hours=rule.hours or frozenset({start.hour}), minutes=rule.minutes or frozenset({start.minute}))
    if rule.month_days or rule.weekdays or rule.freq == "DAILY":
        return rule
    if rule.freq == "WEEKLY":
        return replace(rule, weekdays=frozenset({(0, start.weekday())}))
    months = rule.months or (frozenset({start.month}) if rule.freq == "YEARLY" else rule.months)
    return replace(rule, months=months, month_days=frozenset({start.day}))


def _walk(rule: Rule, start: datetime, lo: datetime, hi: datetime) -> Iterator[datetime]:
    """Moments of every period that touches [lo, hi], in order."""
    anchor, low, high = (_unit(rule, moment.date()) for moment in (start, lo, hi))
    for unit in range(low + (anchor - low) % rule.interval, high + 1, rule.interval):
        yield from _moments(rule, unit)


def _unit(rule: Rule, day: date) -> int:
    """The number of the day, week, month or year that holds a day."""
    if rule.freq == "DAILY":
        return day.toordinal()
    if rule.freq == "WEEKLY":
        return (day.toordinal() - 1 - rule.week_start) // 7
    return day.year * 12 + day.month - 1 if rule.freq == "MONTHLY" else day.year


def _days_of(rule: Rule, unit: int) -> range:
    """The ordinals of a period's days."""
    if rule.freq == "DAILY":
        return range(unit, unit + 1)
    if rule.freq == "WEEKLY":
        return range(unit * 7 + 1 + rule.week_start, unit * 7 + 8 + rule.week_start)
    year, month, months = (unit // 12, unit % 12 + 1, 1) if rule.freq == "MONTHLY" else (unit, 1, 12)
    begin = date(year, month, 1).toordinal()
    return range(begin, begin + sum(calendar.monthrange(year, month + n)[1] for n in range(months)))


def _moments(rule: Rule, unit: int) -> list[datetime]:
    days = [day for day in map(date.fromordinal, _days_of(rule, unit)) if _meets(rule, day)]
    times = [time(hour, minute) for hour in sorted(rule.hours) for minute in sorted(rule.minutes)]
    moments = [datetime.combine(day, moment) for day in days for moment in times]
    if not rule.positions:
        return moments
    size = len(moments)
    return [m for n, m in enumerate(moments) if n + 1 in rule.positions or n - size in rule.positions]


def _meets(rule: Rule, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days and not {day.day, day.day - calendar.monthrange(day.year, day.month)[1] - 1} & rule.month_days:
        return False
    return not rule.weekdays or any(pair in rule.weekdays for pair in _places(rule, day))


def _places(rule: Rule, day: date) -> Iterator[tuple[int, int]]:
    """A Sunday is every Sunday, the n-th of its month (or year) and the n-th from the end."""
    weekday = day.weekday()
    yield 0, weekday
    if rule.freq == "MONTHLY" or rule.months:
        number, size = day.day, calendar.monthrange(day.year, day.month)[1]
    else:
        begin = date(day.year, 1, 1).toordinal()
        number, size = day.toordinal() - begin + 1, date(day.year + 1, 1, 1).toordinal() - begin
    yield (number - 1) // 7 + 1, weekday
    yield -((size - number) // 7 + 1), weekday


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """``FREQ=WEEKLY;BYDAY=SU``, with or without ``RRULE:`` before it.

    Raises:
        ValueError: one sentence that says what is wrong and what to do.
    """
    if len(text) > TEXT_MAX:
        raise ValueError(
            f"the recurrence rule is {len(text)} characters long, at most {TEXT_MAX}: make several exclusions"
        )
    parts = _parts(text)
    rule = Rule(
        freq=_freq(parts.get("FREQ")),
        interval=_number(parts, "INTERVAL", INTERVAL_MAX) or 1,
        count=_number(parts, "COUNT", COUNT_MAX),
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        months=_numbers(parts, "BYMONTH", range(1, 13)),
        month_days=_numbers(parts, "BYMONTHDAY", range(1, 32), signed=True),
        weekdays=_weekdays(parts["BYDAY"]) if "BYDAY" in parts else frozenset(),
        hours=_numbers(parts, "BYHOUR", range(24)),
        minutes=_numbers(parts, "BYMINUTE", range(60)),
        positions=_numbers(parts, "BYSETPOS", range(1, 367), signed=True),
    )
    _check(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.removeprefix("RRULE:").strip().removesuffix(";").split(";"):
        key, equals, value = (word.strip().upper() for word in part.partition("="))
        if not equals or not value:
            raise ValueError(f"'{part}' in the recurrence rule is not KEY=VALUE, such as FREQ=WEEKLY;BYDAY=SU")
        if key not in _KEYS:
            raise ValueError(f"{key} in the recurrence rule is not supported: use {', '.join(sorted(_KEYS))}")
        if key in parts:
            raise ValueError(f"{key} stands twice in the recurrence rule: separate its values by commas")
        parts[key] = value
    return parts


def _freq(value: str | None) -> Freq:
    for known in get_args(Freq):
        if known == value:
            return value  # type: ignore[return-value]
    if value in ("SECONDLY", "MINUTELY", "HOURLY"):
        raise ValueError(f"FREQ={value} recurs too often: use FREQ=DAILY with BYHOUR, such as BYHOUR=0,6,12,18")
    raise ValueError("the recurrence rule needs FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")


def _number(parts: dict[str, str], key: str, most: int) -> int | None:
    value = parts.get(key)
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= most:
        raise ValueError(f"{key}={value} in the recurrence rule must be a number from 1 to {most}")
    return int(value)


def _numbers(parts: dict[str, str], key: str, allowed: range, *, signed: bool = False) -> frozenset[int]:
    if key not in parts:
        return frozenset()
    words = parts[key].split(",")
    found = {int(word) for word in words if re.fullmatch(r"[+-]?[0-9]{1,6}", word)}
    readable = all(re.fullmatch(r"[+-]?[0-9]{1,6}", word) for word in words)
    if not readable or any((abs(n) if signed else n) not in allowed for n in found):
        sign = " or the same with a minus, from the end" if signed else ""
        raise ValueError(f"{key}={parts[key]} in the recurrence rule must be {allowed[0]} to {allowed[-1]}{sign}")
    return frozenset(found)


def _week_start(value: str) -> int:
    if value not in _DAYS:
        raise ValueError(f"WKST={value} in the recurrence rule must be one of {', '.join(_DAYS)}")
    return _DAYS.index(value)


def _weekdays(value: str) -> frozenset[tuple[int, int]]:
    found = [_WEEKDAY.fullmatch(word) for word in value.split(",")]
    pairs = [(int(m[1] or 0), _DAYS.index(m[2])) for m in found if m and m[1] not in ("0", "00", "+0", "-0")]
    if len(pairs) < len(found) or any(abs(n) > 53 for n, _ in pairs):
        raise ValueError(f"BYDAY={value} in the recurrence rule must be weekdays, such as SU, 1MO or -1FR")
    return frozenset(pairs)


def _until(value: str) -> datetime:
    found = _UNTIL.fullmatch(value)
    try:
        if found is None:
            raise ValueError(value)
        moment = datetime.strptime(found[1] + (found[2] or "235959"), "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise ValueError(
            f"UNTIL={value} in the recurrence rule is no date such as 20261231 or 20261231T230000Z"
        ) from None
    return moment.replace(tzinfo=UTC) if found[3] else moment


def _check(rule: Rule) -> None:
    """Parts that contradict each other (RFC 5545, section 3.3.10), and more starts a day than are ever meant."""
    if rule.count is not None and rule.until is not None:
        raise ValueError("the recurrence rule has COUNT and UNTIL: keep one")
    if rule.freq == "WEEKLY" and rule.month_days:
        raise ValueError("BYMONTHDAY does not go with FREQ=WEEKLY: use FREQ=MONTHLY")
    if rule.freq in ("DAILY", "WEEKLY") and any(n for n, _ in rule.weekdays):
        raise ValueError(f"a numbered weekday in BYDAY does not go with FREQ={rule.freq}: use FREQ=MONTHLY")
    if rule.positions and not (rule.months or rule.month_days or rule.weekdays or rule.hours or rule.minutes):
        raise ValueError("BYSETPOS picks from what another BY part gives: add BYDAY or BYMONTHDAY")
    if len(rule.hours or {0}) * len(rule.minutes or {0}) > TIMES_A_DAY_MAX:
        raise ValueError(
            f"the recurrence rule starts more than {TIMES_A_DAY_MAX} times a day: make it longer and rarer"
        )
