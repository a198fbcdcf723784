"""Windows that SLOs are counted over, and objectives that change on a date. Pure; ``docs/time.md`` says the rules for users.

Instants are aware; those that come out are UTC. A *wall* is a naive datetime: what a clock in a zone shows. Counting is by
whole minutes: an instant inside a minute stands for the minute's beginning.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sloengine.model import Calendar, DatedTarget

Interval = tuple[datetime, datetime]
"""``[from, to)``, both UTC."""

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """The last ``length`` before now."""

    length: timedelta


Window = RollingWindow | Calendar


def floor_minute(moment: datetime) -> datetime:
    """The beginning of the minute that holds an aware instant, in UTC.

    Raises:
        ValueError: the moment has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: an instant must carry one")
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a clock of the zone shows this, in UTC and whole minutes.

    A wall that comes twice means the first; one that is skipped is read with the offset before the gap, so 02:30 becomes
    03:30 (RFC 5545, section 3.3.5).
    """
    return floor_minute(wall.replace(tzinfo=zone, fold=0))


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock of the zone shows then."""
    return instant.astimezone(zone).replace(tzinfo=None)


def bounds(window: Window, at: datetime) -> Interval:
    """Rolling: the length up to ``at``. Calendar: the whole period that contains ``at``, which ends after it.

    Raises:
        ValueError: ``at`` has no zone.
    """
    floor_minute(at)
    at = at.astimezone(UTC)
    if isinstance(window, RollingWindow):
        return at - window.length, at
    number = _number(window, at)
    return _start_of(window, number), _start_of(window, number + 1)


def _number(window: Calendar, at: datetime) -> int:
    """Which period, 0 being the one that begins at ``start``: the last that has begun."""
    wall, start = wall_of(at, ZoneInfo(window.zone)), window.start
    if window.unit in _MONTHS:
        months = (wall.year - start.year) * 12 + wall.month - start.month
        number = months // (window.count * _MONTHS[window.unit])
    else:
        number = (wall - start) // timedelta(days=window.count * _DAYS[window.unit])
    # Changing clocks and short months put the guess off by one; where a whole day was skipped (Apia 2011), by two.
    while _start_of(window, number) > at:
        number -= 1
    while _start_of(window, number + 1) <= at:
        number += 1
    return number


def _start_of(window: Calendar, number: int) -> datetime:
    count = window.count * number
    if window.unit in _MONTHS:
        wall = _plus_months(window.start, count * _MONTHS[window.unit])
    else:
        wall = window.start + timedelta(days=count * _DAYS[window.unit])
    return instant_of(wall, ZoneInfo(window.zone))


def _plus_months(wall: datetime, months: int) -> datetime:
    """Counted from the anchor each time, so that 31 January, 28 February goes on to 31 March and not to 28 March."""
    year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    return wall.replace(year=year, month=month + 1, day=min(wall.day, calendar.monthrange(year, month + 1)[1]))


def targets_between(
    targets: Iterable[DatedTarget], lo: datetime, hi: datetime
) -> list[tuple[datetime, datetime, float]]:
    """``[lo, hi)`` in parts of one target each, in order; the first target reaches back without end.

    Raises:
        ValueError: no target, or two of the same minute.
    """
    dated = sorted((floor_minute(t.since), t.target) for t in targets)
    if not dated:
        raise ValueError("an objective needs at least one target")
    since = [moment for moment, _ in dated]
    if twice := [a for a, b in pairwise(since) if a == b]:
        raise ValueError(f"two targets begin at {twice[0]:%Y-%m-%d %H:%M} UTC: remove one")
    ends = [*since[1:], hi]
    parts = [
        (lo if n == 0 else max(lo, since[n]), hi if n + 1 == len(dated) else min(hi, ends[n]), target)
        for n, (_, target) in enumerate(dated)
    ]
    return [part for part in parts if part[0] < part[1]]
