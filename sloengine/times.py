"""Durations as OpenSLO and Prometheus write them (``30d``, ``1h30m``, ``5m``), and aware UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"([0-9]+)([smhdw])")
LONGEST = timedelta(days=365_000)


class TooLong(ValueError):
    """A duration that no moment can be that far from."""


def parse_duration(text: str) -> timedelta:
    """``"1h30m"`` → 5400 s.

    Raises:
        TooLong: more than a thousand years.
        ValueError: not of the form number-unit, or zero.
    """
    parts = _PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"'{text}' is not a duration such as 30d, 6h or 5m")
    seconds = sum(int(n) * _UNITS[u] for n, u in parts)
    if seconds == 0:
        raise ValueError("a duration must be longer than zero")
    if seconds > LONGEST.total_seconds():
        raise TooLong(f"'{text[:40]}' is too long a time")
    return timedelta(seconds=seconds)


@lru_cache(maxsize=1024)
def format_duration(span: timedelta) -> str:
    """The shortest such text: 5400 s → ``"1h30m"``."""
    rest = round(span.total_seconds())
    out = ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNITS[unit])
        out += f"{count}{unit}" if count else ""
    return out or "0s"


def utc(moment: datetime) -> datetime:
    """The same moment, aware and in UTC. What comes without a zone (SQLite, ClickHouse) is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def unix_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, exactly: a float of seconds would be off by one now and then."""
    return (utc(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
