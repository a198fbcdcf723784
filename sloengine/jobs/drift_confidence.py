"""What labels say of a drift: whether it is over-confident, and whether accuracy agrees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sloengine.evaluate.drift.confidence import (
    Agreement,
    Confidence,
    Labelled,
    Sureness,
    agreement,
    confidence,
    sureness,
)
from sloengine.jobs.drift_read import Only, Span
from sloengine.model import Slo
from sloengine.monitor import DriftMonitor
from sloengine.store.client import Store

BEFORE_MAX = timedelta(days=8)
"""How far back accuracy before the drift is looked at: what is longer ago was another world."""


@dataclass(frozen=True, slots=True)
class Told:
    """What labels say of part of a fleet since it drifts, and what they said before."""

    now: Labelled
    then: Labelled
    since: Confidence | None
    before: Confidence | None
    slo: Slo | None
    """The accuracy that is promised, by M3; None: nothing is."""

    @property
    def sureness(self) -> Sureness:
        return sureness(self.since)

    @property
    def agreement(self) -> Agreement:
        return agreement(self.since, self.slo.target) if self.slo else Agreement.UNKNOWN


def told(store: Store, monitor: DriftMonitor, only: Only, span: Span, slos: Iterable[Slo]) -> Told:
    """
    Args:
        span: since when it is away from normal, until the look.
    """
    begin, end = span
    now, then = (_read(store, monitor, only, part) for part in ((begin, end), (begin - BEFORE_MAX, begin)))
    promised = next((slo for slo in slos if slo.indicator == "M3" and slo.service == monitor.service), None)
    return Told(now, then, confidence(now), confidence(then), promised)


def _read(store: Store, monitor: DriftMonitor, only: Only, span: Span) -> Labelled:
    asked = {"service": monitor.service, "lo": span[0], "hi": span[1], **only.asked}
    row = store.rows("drift_confidence", **asked)[0]
    return Labelled(
        row["Recorded"],
        row["Labelled"],
        row["Used"],
        row["Scores"],
        row["Good"],
        row["GoodSquares"],
        row["Bad"],
        row["BadSquares"],
    )


def in_words(found: Told) -> str:
    """Empty where no prediction was recorded: then there is nothing to say."""
    now = found.now
    if not now.recorded:
        return ""
    coverage = f"{now.labelled} of {now.recorded} recorded predictions have labels"
    since, before = found.since, found.before
    if since is None:
        # Labelled is not enough: nothing can be counted of what has no score or stands for nobody knows how many.
        unusable = f", {now.used} of them with a score and a known weight" if now.used < now.labelled else ""
        return f"accuracy can't tell yet: {coverage}{unusable}"
    was = f"; before {before.score:.2f} and {before.accuracy:.2f}" if before else ""
    said = (
        f"scores {since.score:.2f} on average, right in {since.accuracy:.2f} [{since.low:.2f}, {since.high:.2f}]"
        f" ({coverage}): {since.sureness.value}{was}"
    )
    if found.slo is None:
        return said
    words = {
        Agreement.AGREES: f"agrees: below the {found.slo.target:g} that is promised",
        Agreement.DISAGREES: f"disagrees: at or above the {found.slo.target:g} that is promised",
        Agreement.UNKNOWN: f"can't tell it from the {found.slo.target:g} that is promised",
    }
    return f"{said}; accuracy ({found.slo.name}) {words[found.agreement]}"


def plain(found: Told) -> dict[str, object]:
    """For machines."""
    return {
        "recorded": found.now.recorded,
        "labelled": found.now.labelled,
        "since": _plain(found.since),
        "before": _plain(found.before),
        "verdict": found.sureness.value,
        "accuracy": {
            "slo": found.slo.name if found.slo else None,
            "target": found.slo.target if found.slo else None,
            "verdict": found.agreement.value,
        },
    }


def _plain(found: Confidence | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"score": found.score, "accuracy": found.accuracy, "low": found.low, "high": found.high}
