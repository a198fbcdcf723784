"""What sloengine counts of itself: the monitor is monitored."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Dropped:
    """Items that were not taken, by signal and reason; safe to count from several threads."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def count(self, signal: str, by_reason: Mapping[str, int]) -> None:
        with self._lock:
            for reason, items in by_reason.items():
                self._counts[signal, reason] += items

    def render(self) -> str:
        """Prometheus text; reasons are our own names, so they need no escaping."""
        name = self._name
        with self._lock:
            counts = sorted(self._counts.items())
        lines = [f'{name}{{signal="{signal}",reason="{reason}"}} {n}\n' for (signal, reason), n in counts]
        return f"# HELP {name} {self._text}\n# TYPE {name} counter\n" + "".join(lines)
