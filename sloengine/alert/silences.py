"""Silences: what somebody asked not to be told, until when, and whether that holds now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sloengine.alert.matchers import all_match, matches
from sloengine.model import Matcher

ROUTE, SAFETY = "route", "safety"
NAMES_SAFETY = Matcher(ROUTE, "=", SAFETY)
"""Without this matcher a silence does not reach safety routes: nobody mutes them by a wide expression."""


class SilenceState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Silence:
    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str


def state_of(silence: Silence, now: datetime) -> SilenceState:
    if now >= silence.ends_at:
        return SilenceState.EXPIRED
    return SilenceState.ACTIVE if now >= silence.starts_at else SilenceState.PENDING


def faults_of(silence: Silence) -> list[str]:
    """Why a silence can't be taken, in words."""
    found = []
    if all(matches(matcher, {}) for matcher in silence.matchers):
        found.append("a silence needs a matcher that an empty label does not meet, or it would mute everything")
    if silence.ends_at <= silence.starts_at:
        found.append("a silence ends after it starts")
    if not silence.author.strip() or not silence.reason.strip():
        found.append("a silence says who asked for it and why")
    return found


def active(silences: Iterable[Silence], now: datetime) -> tuple[Silence, ...]:
    return tuple(silence for silence in silences if state_of(silence, now) is SilenceState.ACTIVE)


def silencing(labels: Mapping[str, str], by: Sequence[Silence], *, safety: bool) -> list[Silence]:
    """Those of active silences that mute an alert on a route. On safety routes alerts carry ``route="safety"`` to them."""
    if not safety:
        return [silence for silence in by if all_match(silence.matchers, labels)]
    named = {**labels, ROUTE: SAFETY}
    return [s for s in by if NAMES_SAFETY in s.matchers and all_match(s.matchers, named)]
