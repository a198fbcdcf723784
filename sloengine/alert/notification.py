"""What is told to a receiver: a group of alerts, as Alertmanager groups them. Made of episodes; targets make requests of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

FIRING, RESOLVED = "firing", "resolved"


@dataclass(frozen=True, slots=True)
class Told:
    """One episode as a notification tells it."""

    dedup_key: str
    """Identity and number of the episode: what receivers know it by."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_at: datetime
    ended_at: datetime | None
    """None while it fires."""

    @property
    def status(self) -> str:
        return RESOLVED if self.ended_at else FIRING


@dataclass(frozen=True, slots=True)
class Notification:
    """A group of alerts for one receiver; firing while any of them is."""

    receiver: str
    group_key: str
    """As Alertmanager writes it: the route's path and the group's labels."""
    dedup_key: str
    """Of the group's incident: one from its first firing alert until all are resolved, the next one has another."""
    group_labels: Mapping[str, str]
    alerts: Sequence[Told]
    """Oldest first."""
    external_url: str
    truncated: int = 0
    """Alerts of the group that are left out."""

    @property
    def status(self) -> str:
        return FIRING if self.firing else RESOLVED

    @property
    def firing(self) -> Sequence[Told]:
        return [alert for alert in self.alerts if alert.ended_at is None]

    @property
    def resolved(self) -> Sequence[Told]:
        return [alert for alert in self.alerts if alert.ended_at is not None]

    @property
    def common_labels(self) -> dict[str, str]:
        return _common([alert.labels for alert in self.alerts])

    @property
    def common_annotations(self) -> dict[str, str]:
        return _common([alert.annotations for alert in self.alerts])


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all of them say alike."""
    first, *others = maps or [{}]
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
