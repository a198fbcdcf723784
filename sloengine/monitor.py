"""What a drift monitor watches, against what, and when it speaks: the value type between catalogue and engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

LEVELS = ("model", "version", "region", "device")
"""From the whole to the single node; a series belongs to one of each, and one finding names the highest that moved."""


class Values(StrEnum):
    """What is counted."""

    HISTOGRAM = "histogram"
    """Numbers in buckets, explicit or exponential: scores, input features, attributions."""
    CLASSES = "classes"
    """A counter told apart by an attribute: how often each class was predicted."""


class Against(StrEnum):
    """What is normal."""

    PINNED = "pinned"
    """A baseline that a person or a registry has pinned by name."""
    PREVIOUS = "previous-version"
    TRAILING = "trailing"
    LAST_WEEK = "same-hours-last-week"
    CONTROL = "control"
    """The other versions of the same model at the same time: a canary against the rest."""


VALIDATION = "validation"
"""Kind of a pinned baseline that was made of a histogram that was handed in, and of no telemetry."""


@dataclass(frozen=True, slots=True)
class DriftMonitor:
    """One metric of one service, watched on every level at once."""

    name: str
    service: str
    metric: str
    values: Values = Values.HISTOGRAM
    class_attribute: str = ""
    """Attribute that tells classes apart; of ``CLASSES`` only."""
    levels: tuple[str, ...] = LEVELS
    """Which of LEVELS are watched, in their order; the first is always ``model``."""
    segments: tuple[str, ...] = ()
    """Attributes that tell segments apart: watched by model and version, and used to tell a shift of the mix from drift."""
    against: Against = Against.TRAILING
    baseline: str = ""
    """Name of the pinned one."""
    trailing: timedelta = timedelta(days=7)
    """Whole days that a trailing baseline reaches back."""
    window: timedelta = timedelta(hours=1)
    """How much is compared at a time: whole hours that divide a day. Longer ones see smaller drifts of quieter nodes, later."""
    index: str = "psi"
    """Whose size matters: psi, ks, js, wasserstein or hellinger (of classes not ks and wasserstein)."""
    minimum: float = 0.1
    """The smallest value of it that matters."""
    false_alarms: float = 0.05
    """Probability of one false finding or more, of all series together, in a week in which nothing drifts."""
    persistence: tuple[int, int] = (2, 3)
    """Found in so many of the last so many windows."""
    critical: tuple[str, ...] = ()
    """Models that are safety-critical: what is found of them pages, of others it is a ticket."""
    retrain: str = ""
    """Hook of ``alerting.yaml`` that is called with what drifts; none: nobody is."""
    display_name: str = ""
    owner: str = ""
    runbook: str = ""
    source: str = ""
    """``file:line`` of its definition."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a finding names, as high as it reaches and as low as it lies."""

    model: str
    versions: tuple[str, ...] = ()
    """In which it was found; none named: the whole model."""
    region: str = ""
    device: str = ""
    segments: tuple[tuple[str, str], ...] = ()
    """Attributes and values."""
