"""What is sent, as it is kept until then, and how often and how patiently a target is tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to send to one target. It holds no secret: keys and secret addresses are added when it is sent."""

    action: str
    """What it does there, in the target's own word: ``trigger``, ``resolve``, ``create``, ``close``, ``post``, ``mail``…"""
    address: str
    """Where, below the address of the target's settings; of mail the recipient."""
    body: str
    order_key: str
    """Messages with the same one are sent one after the other, each after the one before has arrived or was given up."""
    incident: str
    """``dedup_key`` of the notification that it tells of."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Message:
        """
        Raises:
            ValueError: not what :meth:`to_json` writes.
        """
        try:
            return Message(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not a message: {error}") from None


@dataclass(frozen=True, slots=True)
class Policy:
    """How a target is treated, by its own documentation (docs/targets.md names the pages)."""

    rate_per_s: float
    """Most messages a second in the long run, to one address or key."""
    burst: int
    """So many at once after a pause."""
    backoff_first_s: float
    backoff_factor: float
    backoff_most_s: float
    timeout_s: float
    throttled_s: float
    """Wait after a 429 that does not say how long."""
    resend_s: float | None = None
    """Firing alerts are sent again so often: the target forgets what it does not hear of."""
    resolve_resend_s: float = 0.0
    """So long resolves are sent again too: the target may have been away."""

    def backoff_s(self, attempts: int) -> float:
        """Wait before the next try after so many that failed, at least one."""
        most = self.backoff_most_s / self.backoff_first_s
        growth = 1.0
        for _ in range(attempts - 1):
            growth *= self.backoff_factor
            if growth >= most:
                return self.backoff_most_s
        return self.backoff_first_s * growth
