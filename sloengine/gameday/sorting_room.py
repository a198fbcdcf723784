"""Where labels come from: people who look at pictures later, at some kinds of them less often, and at a few never."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from random import Random

NEVER = {"thin": 0.10, "bold": 0.03}
"""Share of pictures that nobody looks at: the labelled ones are not like all. ``seed_labels.sql`` says the same of the past."""
SOONEST_S, LATEST_S = 5.0, 120.0
WAITING_MAX = 1000


class SortingRoom:
    """Pictures wait here until somebody has looked at them. Times are seconds of any clock that only goes forward."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._waiting: list[tuple[float, str, str]] = []

    def receive(self, prediction: str, truth: str, stroke: str, now_s: float) -> None:
        """A picture came in; what is beyond ``WAITING_MAX`` is never looked at."""
        if self._random.random() >= NEVER[stroke] and len(self._waiting) < WAITING_MAX:
            due_s = now_s + self._random.uniform(SOONEST_S, LATEST_S)
            heapq.heappush(self._waiting, (due_s, prediction, truth))

    def ready(self, now_s: float) -> Iterator[tuple[str, str]]:
        """Prediction and truth of each picture that was looked at since the last time."""
        while self._waiting and self._waiting[0][0] <= now_s:
            _, prediction, truth = heapq.heappop(self._waiting)
            yield prediction, truth
