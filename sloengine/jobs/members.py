"""Members: who is within an SLO's cardinality budget outlives the engine, or a restart would give alerts other identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sloengine.jobs.deps import Deps
from sloengine.model import Group, Slo
from sloengine.state import episodes as episode_rows
from sloengine.state.database import transaction

ASLEEP_MAX = timedelta(days=40)
"""How long an engine may have been away: raw telemetry is gone after that, and a budget begins anew."""


def recall(engine: Deps, slos: Iterable[Slo], now: datetime) -> None:
    """Before the first verdict: who was in by the last one. What alerts now comes first, if a budget has become smaller.

    Raises:
        StoreError: ClickHouse did not answer; nothing is judged then, and the next tick asks again.
    """
    if engine.matches.recalled:
        return
    found: dict[str, list[Mapping[str, str]]] = {}
    with transaction(engine.state) as connection:
        for labels in episode_rows.firing_labels(connection):
            found.setdefault(labels.get("slo", ""), []).append(labels)
    for row in engine.store.rows("budget_members", oldest=now - ASLEEP_MAX, now=now):
        found.setdefault(row["Slo"], []).append(row["Slice"])
    engine.matches.recall({slo.name: _groups(slo, found) for slo in slos if slo.by})


def _groups(slo: Slo, found: Mapping[str, list[Mapping[str, str]]]) -> list[Group]:
    """As the SLO tells slices apart today; under the name that it had before, if nothing is known under its own."""
    rows = found.get(slo.name) or found.get(slo.was, [])
    return [tuple((name, row[name]) for name in slo.by) for row in rows if all(name in row for name in slo.by)]
