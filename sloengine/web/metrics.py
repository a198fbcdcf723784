"""The snapshot as Prometheus text (exposition format 0.0.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from sloengine.model import Severity, Snapshot
from sloengine.web.view import is_firing, stale_nodes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTBOX_STATUSES = ("pending", "claimed", "sent", "dead")

Sample = tuple[Mapping[str, str], float]


def render(snapshot: Snapshot, now: datetime, node_stale_after: timedelta = timedelta(minutes=5)) -> str:
    """Gauges of one snapshot. What isn't known is absent, never 0: one can alert on absence, not on a false 0."""
    return "".join(
        (
            *_gauge("sloengine_tick_duration_seconds", "How long the last tick took.", _known(snapshot.tick_s)),
            *_gauge("sloengine_tick_age_seconds", "How long ago the last tick was.", _known(_age(snapshot, now))),
            *_gauge("sloengine_tick_problems", "What failed in the last tick.", [({}, len(snapshot.problems))]),
            *_gauge("sloengine_alerts_firing", "Alert episodes that fire now.", _firing(snapshot)),
            *_gauge("sloengine_outbox", "Notifications by delivery status.", _outbox(snapshot)),
            *_gauge(
                "sloengine_slo_budget_remaining",
                "Share of the error budget left; below 0 overspent.",
                _budgets(snapshot),
            ),
            *_gauge("sloengine_nodes", "Expected nodes.", [({}, len(snapshot.nodes))]),
            *_gauge(
                "sloengine_nodes_stale",
                "Expected nodes that are silent for too long.",
                [({}, stale_nodes(snapshot.nodes, node_stale_after))],
            ),
        )
    )


def _known(value: float | None) -> list[Sample]:
    return [] if value is None else [({}, value)]


def _age(snapshot: Snapshot, now: datetime) -> float | None:
    return None if snapshot.at is None else max(0.0, (now - snapshot.at).total_seconds())


def _firing(snapshot: Snapshot) -> list[Sample]:
    firing = [e.severity for e in snapshot.episodes if is_firing(e)]
    return [({"severity": s.value}, firing.count(s)) for s in Severity]


def _outbox(snapshot: Snapshot) -> list[Sample]:
    counts = {**dict.fromkeys(OUTBOX_STATUSES, 0), **snapshot.outbox}
    return [({"status": status}, count) for status, count in counts.items()]


def _budgets(snapshot: Snapshot) -> Iterator[Sample]:
    for status in snapshot.statuses:
        if status.budget_remaining is not None:
            labels = {"slo": status.slo.name, "indicator": status.slo.indicator, "service": status.slo.service}
            yield {**labels, **dict(status.group)}, status.budget_remaining


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for labels, value in samples:
        body = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items())
        yield f"{name}{{{body}}} {value!r}\n" if body else f"{name} {value!r}\n"


def _escaped(value: str) -> str:
    # Cut as well: one hostile label may not make every scrape megabytes.
    return value[:256].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
