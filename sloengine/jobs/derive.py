"""Derive: measures that are not folded from raw telemetry by name but worked out by a job of ours, into the same buckets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sloengine.jobs.fold import Run
from sloengine.model import DIMENSIONS
from sloengine.rollup.plan import floor_hour
from sloengine.store.client import Store
from sloengine.times import utc

COLUMNS = (
    "ServiceName",
    "ModelName",
    "ModelVersion",
    "Region",
    "GatewayId",
    "RolloutId",
    "Wave",
    "Hardware",
    "DeviceId",
)
"""The bucket tables' columns of ``DIMENSIONS``, in its order."""


@dataclass(frozen=True, slots=True)
class Derived:
    """One row of a derived measure: so many events of a minute, told apart by dimensions and attributes."""

    minute: datetime
    events: float
    dimensions: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[object, ...]:
        held = {k: v for k, v in sorted(self.attributes.items()) if v}
        text = json.dumps(held, ensure_ascii=False, separators=(",", ":")) if held else ""
        return (*(self.dimensions.get(name, "") for name in DIMENSIONS), text, self.minute)


def settle(
    store: Store,
    measure: str,
    span: tuple[datetime, datetime],
    rows: Iterable[Derived],
    run: Run,
    *,
    rollouts: Collection[str] | None = None,
) -> set[datetime]:
    """Make ``rows`` all there is of a measure in a span of minutes, or of some rollouts in it; the hours that changed.

    Only what differs is written; a stored row that is not among ``rows`` is emptied.
    """
    lo, hi = span
    fresh: dict[tuple[object, ...], float] = {}
    for row in rows:
        fresh[row.key] = fresh.get(row.key, 0.0) + row.events
    stored = {
        (*(r[c] for c in COLUMNS), r["Attributes"], utc(r["Minute"])): r["Events"]
        for r in store.rows("stored_counts", measure=measure, lo=lo, hi=hi)
        if rollouts is None or r["RolloutId"] in rollouts
    }
    changed = [key for key in {*fresh, *stored} if fresh.get(key, 0.0) != stored.get(key, 0.0)]
    columns = ["Measure", *COLUMNS, "Attributes", "Minute", "Events", "Squares", "Items", "Cause", "Before", "Revision"]
    table: list[list[object]] = []
    for key in changed:
        events = fresh.get(key, 0.0)
        items = int(key in fresh)
        table.append([measure, *key, events, events, items, run.cause, stored.get(key, 0.0), run.revision])
    store.insert("count_minutes", columns, table)
    return {floor_hour(key[-1]) for key in changed if isinstance(key[-1], datetime)}
