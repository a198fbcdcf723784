"""What instrumentation costs an inference loop: median µs per inference over the bare loop, at a span ratio of 0.01."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

from sloengine import edge
from sloengine.edge.uplink import Exporters

GOAL_US = 50.0
ROUNDS = 41
PER_ROUND = 500


def run() -> list[dict[str, Any]]:
    """One entry; the node exports every second meanwhile, to nowhere, so that collection is part of the cost."""
    node = edge.Node("bench", "bench-1", "local", span_ratio=0.01, export_interval_s=1.0, exporters=_nowhere)
    model = node.model("digits", version="1", rollout="r-1", wave=1)

    def instrumented() -> None:
        with model.inference() as call:
            call.score(_predict(), label="7")

    extra_us = [(_seconds(instrumented) - _seconds(_predict)) / PER_ROUND * 1e6 for _ in range(ROUNDS)]
    node.close(5)
    median_us = round(statistics.median(extra_us), 2)
    return [
        {
            "name": "edge overhead per inference",
            "ratio": median_us,
            "unit": "us",
            "goal": GOAL_US,
            "better": "lower",
            "ok": median_us <= GOAL_US,
        }
    ]


def _predict() -> float:
    return 0.93


def _seconds(work: Callable[[], object]) -> float:
    before_s = perf_counter()
    for _ in range(PER_ROUND):
        work()
    return perf_counter() - before_s


def _nowhere() -> Exporters:
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class Void:
        def write(self, _text: str) -> None: ...
        def flush(self) -> None: ...

    return Exporters(InMemorySpanExporter(), ConsoleMetricExporter(Void()), InMemoryLogRecordExporter())  # type: ignore[arg-type]


if __name__ == "__main__":
    print(run())
