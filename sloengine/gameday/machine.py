"""The computer that a simulated device runs on: how much of it is used, by load and by a slow walk of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

STEP, KEPT, LOW, HIGH = 0.01, 0.97, 0.02, 0.78
"""Each reading moves by about a hundredth and is drawn back by a thirty-third; a healthy device keeps 20 % free."""


@dataclass(frozen=True, slots=True)
class Use:
    """Share of a resource in use: without load, and what full load adds."""

    idle: float
    load: float


GAUGES: Mapping[str, Use] = {
    "system.cpu.utilization": Use(0.12, 0.25),
    "system.memory.utilization": Use(0.45, 0.08),
    "hw.gpu.utilization": Use(0.02, 0.33),
}


class Machine:
    """Repeatable by ``seed``; each gauge is read by one thread."""

    def __init__(self, seed: str) -> None:
        self.busy = False
        """Whether inferences run: an accelerator without a model idles, and its gauge shows it."""
        self.gauges = GAUGES
        self._random = Random(seed)  # noqa: S311 — a simulation
        self._walk = dict.fromkeys(GAUGES, 0.0)

    def reader(self, name: str) -> Callable[[], float]:
        return lambda: self.read(name)

    def read(self, name: str) -> float:
        """A share from ``LOW`` to ``HIGH``."""
        use = self.gauges[name]
        self._walk[name] = self._walk[name] * KEPT + self._random.gauss(0.0, STEP)
        level = use.idle + use.load * self.busy + self._walk[name]
        return min(HIGH, max(LOW, level))
