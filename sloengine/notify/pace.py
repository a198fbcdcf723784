"""How fast a target is sent to: a token bucket, so that a storm does not make it refuse everything. State of one engine alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sloengine.notify.message import Policy


@dataclass
class Pace:
    """Messages that may be sent now; full at first."""

    left: float = field(default=float("inf"))
    at: datetime | None = None

    def allows(self, policy: Policy, now: datetime) -> bool:
        """Whether one more may be sent."""
        passed = max(0.0, (now - self.at).total_seconds()) if self.at else 0.0
        self.at = now
        self.left = min(float(policy.burst), self.left + passed * policy.rate_per_s)
        return self.left >= 1

    def spend(self) -> None:
        """One was sent."""
        self.left -= 1
