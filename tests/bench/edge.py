"""What instrumentation costs an inference loop: median µs per inference over the bare loop, at a span ratio of 0.01."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

from sloengine import edge

GOAL_US = 50.0
ROUNDS = 41
PER_ROUND = 500


def run() -> list[dict[str, Any]]:
    """Without and with prediction records, the one in turns with the other."""
    settings = {"edge overhead per inference": 0.0, "edge overhead per inference, 10 % of predictions recorded": 0.1}
    nodes = {name: _node(share) for name, share in settings.items()}
    works = {name: _instrumented(node) for name, node in nodes.items()}
    extra_us: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            extra_us[name].append((_seconds(work) - _seconds(_predict)) / PER_ROUND * 1e6)
    for node in nodes.values():
        node.close(5)
    return [_entry(name, round(statistics.median(found), 2)) for name, found in extra_us.items()]


def _node(share: float) -> edge.Node:
    """Exports every second to nowhere, so that collection is part of the cost."""
    return edge.Node(
        "bench",
        f"bench-{share}",
        "local",
        span_ratio=0.01,
        predictions=share,
        export_interval_s=1.0,
        exporters=_nowhere,
    )


def _instrumented(node: edge.Node) -> Callable[[], None]:
    model = node.model("digits", version="1", rollout="r-1", wave=1)

    def instrumented() -> None:
        with model.inference() as call:
            call.score(_predict(), label="7")

    return instrumented


def _entry(name: str, median_us: float) -> dict[str, Any]:
    return {
        "name": name,
        "ratio": median_us,
        "unit": "us",
        "goal": GOAL_US,
        "better": "lower",
        "ok": median_us <= GOAL_US,
    }


def _predict() -> float:
    return 0.93


def _seconds(work: Callable[[], object]) -> float:
    before_s = perf_counter()
    for _ in range(PER_ROUND):
        work()
    return perf_counter() - before_s


def _nowhere() -> edge.Exporters:
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class Void:
        def write(self, _text: str) -> None: ...
        def flush(self) -> None: ...

    return edge.Exporters(InMemorySpanExporter(), ConsoleMetricExporter(Void()), InMemoryLogRecordExporter())  # type: ignore[arg-type, no-untyped-call]


if __name__ == "__main__":
    print(run())
