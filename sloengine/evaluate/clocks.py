"""Clocks that are off: from how late a device's data seems, minute by minute, to episodes with an offset. Pure.

Two kinds of evidence. A device that tells its clock with each request gives it away at once: gateway time minus that clock is
the offset plus the transport, however old the data is. Of one that doesn't, only the age of its newest data is known, which is
an offset or a delay: it passes for an offset if the data comes from the future, or if it is equally late for so long that no
backlog would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

LEAST_S = 60.0
"""Offsets below a minute are left alone: buckets are minutes, and transport alone takes seconds."""
SPREAD_S = 5.0
"""A clock's offset stays within this; a backlog's lag shrinks faster."""
NEEDED = {"clock": 2, "lag": 10}
"""Minutes in a row that must agree. A device that tells its clock can't be mistaken for a late one."""
ENDED = {"clock": 1, "lag": 3}
"""Minutes in a row that must disagree before an offset is over: a slow delivery is not a clock that was set."""
QUIET = timedelta(minutes=10)
"""Minutes further apart than this are not in a row."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A minute in which a device was heard: seconds that its newest data, and its clock if told, were behind the gateway's."""

    minute: datetime
    lag_s: float
    clock_s: float
    """Infinite if the device doesn't tell."""

    @property
    def evidence(self) -> str:
        return "clock" if math.isfinite(self.clock_s) else "lag"

    @property
    def behind_s(self) -> float:
        return self.clock_s if math.isfinite(self.clock_s) else self.lag_s


@dataclass(frozen=True, slots=True)
class Offset:
    """A device's times, received from ``since`` on and before ``until``, are off: add ``seconds`` to them."""

    since: datetime
    until: datetime | None
    seconds: float
    evidence: str


def follow(minutes: Iterable[Heard], current: Offset | None) -> list[Offset]:
    """Episodes that begin or end in these minutes, in order; ``current`` is the one that lasts at their beginning.

    An episode that goes on unchanged is not in the answer.
    """
    out: dict[datetime, Offset] = {}
    run: list[Heard] = []
    for heard in minutes:
        if current is not None:
            run = [] if _fits(heard, current.seconds) else [*run, heard]
            if len(run) < ENDED[current.evidence]:
                continue
            out[current.since] = replace(current, until=run[0].minute)
            current = None
        else:
            run = [*run, heard] if _continues(run, heard) else [heard]
        if abs(heard.behind_s) >= LEAST_S and len(run) >= _needed(run):
            # The smallest is nearest to the offset: transport only adds.
            current = Offset(run[0].minute, None, min(h.behind_s for h in run), heard.evidence)
            out[current.since], run = current, []
    return list(out.values())


def _fits(heard: Heard, seconds: float) -> bool:
    return abs(heard.behind_s - seconds) <= SPREAD_S


def _continues(run: Sequence[Heard], heard: Heard) -> bool:
    if not run or heard.minute - run[-1].minute > QUIET or heard.evidence != run[-1].evidence:
        return False
    lowest = min(h.behind_s for h in run)
    return max(heard.behind_s, *(h.behind_s for h in run)) - min(lowest, heard.behind_s) <= SPREAD_S


def _needed(run: Sequence[Heard]) -> int:
    # Data from the future is no delay.
    return NEEDED["clock"] if run[-1].behind_s < 0 else NEEDED[run[-1].evidence]
