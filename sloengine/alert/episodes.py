"""When an alert begins and ends. Pure: the episode as it stands and what was just measured in, the transition out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sloengine.model import BurnReading, Severity, State, Status
from sloengine.times import format_duration

BURN, DRIFT = "ErrorBudgetBurn", "PredictionDrift"
"""Names of the alerts that this engine decides on."""


class EpisodeState(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why an episode changed, or why it did not. Stored, shown, counted."""

    BURN_EXCEEDED = "burn rate exceeded on both windows"
    STILL_BURNING = "still burning"
    QUIET = "quiet, waiting to resolve"
    QUIET_LONG_ENOUGH = "quiet long enough"
    NO_DATA_HOLDS = "no new data: a firing alert is held, not resolved"
    COVERED_BY_PAGE = "a page of the same slice is firing"
    NOTHING = "within budget"
    GONE = "the catalogue no longer asks for it"


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert from its first firing to its end. ``number`` counts episodes of the same identity."""

    identity: str
    number: int
    severity: Severity
    labels: Mapping[str, str]
    state: EpisodeState
    started_at: datetime
    last_bad_at: datetime

    @property
    def dedup_key(self) -> str:
        return f"{self.identity}-{self.number}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an episode now; ``state`` None means leave it as it is."""

    state: EpisodeState | None
    reason: Reason
    burning: bool


def labels_of(status: Status, severity: Severity, cluster: str) -> dict[str, str]:
    """Identity labels: declared names only, never a measured value, or each measurement would be a new alert."""
    return {
        "alertname": BURN,
        "severity": severity.value,
        "cluster": cluster,
        "slo": status.slo.name,
        "service": status.slo.service,
        **dict(status.group),
    }


def identity_of(labels: Mapping[str, str]) -> str:
    """A stable short name for a set of labels, part of the dedup key."""
    text = "\x00".join(f"{k}\x01{v}" for k, v in sorted(labels.items()))
    return f"sloengine-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def asked_by(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Which SLO or drift monitor an alert of this engine's is about; None of an alert that somebody else raised."""
    for name, kind in (("slo", BURN), ("monitor", DRIFT)):
        if labels.get("alertname") == kind and name in labels:
            return name, labels[name]
    return None


def decide(
    severity: Severity, current: Episode | None, status: Status, *, resolve_after: timedelta, page_firing: bool
) -> Decision:
    """One severity of one slice of one SLO."""
    firing = current is not None and current.state is EpisodeState.FIRING
    # It begins when it is sure and holds while it is likely: at low traffic certainty comes and goes with single events.
    mine = [b for b in status.burns if b.window.severity is severity]
    burning = any(b.over if firing else b.exceeded for b in mine)
    if severity is Severity.TICKET and page_firing and not firing:
        return Decision(None, Reason.COVERED_BY_PAGE, burning)
    if burning:
        return Decision(None if firing else EpisodeState.FIRING, _burn_reason(firing), True)
    if not firing or current is None:
        return Decision(None, Reason.NOTHING, False)
    if _blind(severity, status):
        return Decision(None, Reason.NO_DATA_HOLDS, False)
    if status.at - current.last_bad_at < resolve_after:
        return Decision(None, Reason.QUIET, False)
    return Decision(EpisodeState.RESOLVED, Reason.QUIET_LONG_ENOUGH, False)


def _blind(severity: Severity, status: Status) -> bool:
    """Whether quiet can't be told from silence: the state alone won't do, a ticket's long windows burn on old data too."""
    measured = [b for b in status.burns if b.window.severity is severity]
    return status.state in (State.STALE, State.BROKEN) or any(b.short_burn is None for b in measured)


def _burn_reason(firing: bool) -> Reason:
    return Reason.STILL_BURNING if firing else Reason.BURN_EXCEEDED


def evidence_of(status: Status) -> dict[str, object]:
    """The numbers that decided, as known then."""
    return {
        "at": status.at.isoformat(),
        "target": status.slo.target,
        "window": format_duration(status.slo.window),
        "sli": status.sli,
        "good": status.counts.good,
        "bad": status.counts.bad,
        "unknown": status.counts.unknown,
        "interval": status.interval,
        "coverage": status.coverage,
        "budget_remaining": status.budget_remaining,
        "burn": [_burn_evidence(b) for b in status.burns],
        "state": status.state.value,
        "reason": status.reason,
    }


def _burn_evidence(burn: BurnReading) -> dict[str, object]:
    return {
        "severity": burn.window.severity.value,
        "long": format_duration(burn.window.long),
        "short": format_duration(burn.window.short),
        "factor": burn.factor,
        "long_burn": burn.long_burn,
        "short_burn": burn.short_burn,
        "exceeded": burn.exceeded,
    }
