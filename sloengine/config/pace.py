"""How often an SLI's verdicts come and how late they are known: what alert windows have to be long enough for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from sloengine.config.indicators import templates
from sloengine.config.matchers import VALUE
from sloengine.model import Selector, Sli, Source

TICK = timedelta(minutes=1)
"""A slice is judged by the first tick after its end."""
SEVERAL = 2
"""Verdicts that a short window must hold at any moment: one alone comes and goes, and so would the alert."""
BEYOND = timedelta(days=400)
"""A delay that no window outlasts."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of an SLI's verdicts. Both zero: they come with the telemetry, minute by minute."""

    every: timedelta = timedelta()
    known: timedelta = timedelta()
    """From the moment that a verdict stands at, the first one of the time that it is about, until it is known."""

    @property
    def least(self) -> timedelta:
        """The shortest window that holds several verdicts at any moment: of its length the last ``known`` is empty."""
        return self.known + SEVERAL * self.every


def pace_of(sli: Sli) -> Pace:
    """The slowest of what the SLI counts; with slices, theirs on top of that."""
    rule = sli.slices
    counted = rule.numerator + rule.denominator if rule else sli.selectors
    found = slowest(_of_selector(s) for s in counted)
    return Pace(max(rule.length, found.every), rule.length + TICK + found.known) if rule else found


def slowest(paces: Iterable[Pace]) -> Pace:
    listed = [Pace(), *paces]
    return Pace(max(p.every for p in listed), max(p.known for p in listed))


def _of_selector(selector: Selector) -> Pace:
    if selector.source is not Source.DERIVED or selector.name not in _measures():
        return Pace()
    every, known = _measures()[selector.name]
    return Pace(every, _limit(selector) if known is None else known)


def _limit(selector: Selector) -> timedelta:
    """Of what is bad by being older than a limit nothing bad is known before that."""
    seconds = max((abs(float(m.value)) for m in selector.where if m.name == VALUE), default=0.0)
    return timedelta(seconds=seconds) if seconds < BEYOND.total_seconds() else BEYOND


@cache
def _measures() -> Mapping[str, tuple[timedelta, timedelta | None]]:
    """What the ready-made indicators say of the derived measures that they count."""
    return {
        selector.name: (found.verdicts.every, found.verdicts.known)
        for found in templates().values()
        if found.verdicts
        for selector in found.shape.good + found.shape.bad + found.shape.total + found.shape.values
    }
