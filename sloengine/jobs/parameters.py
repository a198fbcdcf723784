"""Lists as parameters of statements, kept short."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sloengine.rollup.plan import HOUR

CHARS_MAX = 1000
"""Beyond about 4,000 encoded characters the client sends parameters as a form, which the embedded store does not take."""
NEAR = timedelta(days=1)


def few(names: Iterable[str]) -> list[str]:
    """Names that a statement is narrowed to; an empty list, which narrows nothing, where they are too many to name."""
    listed = sorted(set(names))
    return listed if sum(len(name) + 6 for name in listed) <= CHARS_MAX else []


def runs(hours: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Spans that hold the hours; hours less than a day apart share one, so that there are never many."""
    out: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        if out and hour - out[-1][1] < NEAR:
            out[-1] = (out[-1][0], hour + HOUR)
        else:
            out.append((hour, hour + HOUR))
    return out
