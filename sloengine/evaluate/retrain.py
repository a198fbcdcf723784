"""Whether a model's deployments keep step with its drift (M14): neither too often nor too late. Pure.

A deployment that no drift came before is neither good nor bad by itself: a fix, a feature and a better model are as good reasons
as drift, and telemetry can't tell them from a rebuild that counts its version up. It only counts towards *too often*. The day's
reason names it, so that who retrains for drift alone can count such days as bad.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Cadence:
    """What is too often, what is drift, and how soon it has to be answered."""

    deployments_max: int = 4
    window: timedelta = 30 * DAY
    drifted: int = 24
    """So many drifted hours …"""
    within: timedelta = 72 * HOUR
    """… of the last so many confirm drift."""
    answer: timedelta = 14 * DAY
    lead: timedelta = 30 * DAY
    """A deployment so long after confirmed drift may be for it."""
    history: timedelta = 7 * DAY
    settling: timedelta = DAY
    """Versions seen first in a model's first day were there before it was watched: they are no deployments."""


@dataclass(frozen=True, slots=True)
class Step:
    verdict: str
    """``good``, ``bad`` or ``unknown``."""
    reason: str


def deployments(first_seen: Mapping[str, datetime], cadence: Cadence) -> list[datetime]:
    """When versions that were never seen before began to carry traffic, ascending."""
    began = min(first_seen.values(), default=None)
    return sorted(at for at in first_seen.values() if began is not None and at >= began + cadence.settling)


def confirmations(drifted: Collection[datetime], cadence: Cadence) -> list[datetime]:
    """Ends of the hours in which drift became confirmed, from the begins of one series' drifted hours."""
    hours, found, before = sorted(set(drifted)), list[datetime](), False
    for place, hour in enumerate(hours):
        count = place + 1 - bisect_right(hours, hour - cadence.within)
        confirmed = count >= cadence.drifted
        if confirmed and not before:
            found.append(hour + HOUR)
        before = confirmed
    return found


def judge_day(
    end: datetime, began: datetime, deployed: Sequence[datetime], confirmed: Sequence[datetime], cadence: Cadence
) -> Step:
    """The step of the day that ends at ``end``. Only what happened until then counts: a later deployment doesn't make it good.

    ``confirmed`` must reach ``window`` and ``lead`` back: a deployment whose drift is not told looks as if it had none.
    """
    if end - began < cadence.history:
        return Step("unknown", "history")
    past = [at for at in deployed if at < end]
    if sum(at >= end - cadence.window for at in past) > cadence.deployments_max:
        return Step("bad", "too often")
    since = end - cadence.window
    late = [at for at in confirmed if since <= at <= end - cadence.answer and not any(d > at for d in past)]
    if late:
        return Step("bad", "drift unanswered")
    recent = [at for at in past if at >= since]
    for_drift = all(any(at - cadence.lead <= c < at for c in confirmed) for at in recent)
    return Step("good", "in step" if for_drift else "deployed without drift")
