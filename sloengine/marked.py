"""Marks: how a bucket says that an exclusion concerns it, where it does not hold the names that the exclusion uses. Pure.

Buckets are told apart by device, wave, hardware and attributes only where an SLO asks for it. An exclusion that names one of
these would find nothing to take out, and keeping each device apart for its sake would cost a row per device. So what is folded
is told apart by which exclusions it meets: one attribute per exclusion, whatever number of devices it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sloengine.model import DETAIL, DIMENSIONS, Exclusion, Matcher

PREFIX = "excluded:"
"""Begins the attribute's name; no attribute that telemetry or a catalogue names can hold a colon."""
UNSETTLED = "unsettled:from"
"""The same for a value that lies in a band: from which cut on it is not judged yet."""
KEPT = frozenset(DIMENSIONS) - frozenset(DETAIL)
"""What every bucket is told apart by."""
OF_NODES = frozenset({"service", "region", "gateway", "device"})
"""What is known of a node whatever it sends."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The attribute of what meets all of ``where``; equal matchers share one, whatever their exclusions are called and last."""

    name: str
    where: tuple[Matcher, ...]
    """Those matchers of an exclusion that are not about what every bucket holds."""

    @property
    def of_nodes(self) -> bool:
        """Whether it can be told of a node that sends nothing."""
        return all(matcher.name in OF_NODES for matcher in self.where)


def mark_of(exclusion: Exclusion) -> Mark | None:
    """The mark that an exclusion asks for; None if every bucket can tell whether it is concerned."""
    return _mark(exclusion.where)


@lru_cache(maxsize=4096)
def _mark(where: tuple[Matcher, ...]) -> Mark | None:
    own = tuple(sorted({m for m in where if m.name not in KEPT}, key=lambda m: (m.name, m.op, m.value)))
    if not own:
        return None
    named = repr([(m.name, m.op, m.value) for m in own])
    return Mark(PREFIX + hashlib.sha256(named.encode()).hexdigest()[:12], own)


def marks_of(exclusions: Iterable[Exclusion]) -> tuple[Mark, ...]:
    """Each mark once, by name."""
    found = {mark.name: mark for mark in map(mark_of, exclusions) if mark}
    return tuple(found[name] for name in sorted(found))
