"""Which parts of a fleet can't be judged, because most of their devices are silent: what is left of them is another fleet."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift.levels import DEVICE, MODEL, REGION, VERSION, Above, Ids, Rows, parents_in, places_in
from sloengine.jobs.drift_read import Reading
from sloengine.monitor import Values
from sloengine.store.client import Store

HEARD_MIN = 0.5
"""Share of the devices that the last day heard, below which those that are left don't tell what a part of the fleet gives."""

Counted = tuple[Ids, NDArray[np.int64]]
"""Series, ascending, and how many devices of each."""


def devices_of(rows: Rows) -> Counted:
    """How many devices of a block each series above them has."""
    _, first = np.unique(rows.ids[DEVICE], return_index=True)
    return _counted(np.concatenate([rows.ids[level][first] for level in (MODEL, VERSION, REGION)]))


def _counted(ids: Ids) -> Counted:
    found, counts = np.unique(ids, return_counts=True)
    return found, counts


def silent(store: Store, reading: Reading, heard: Ids) -> Counted:
    """How many devices each series above them lacks, of those that the last day's looks heard; ``heard``: devices' series now."""
    monitor, (lo, hi) = reading.monitor, reading.span
    hours = int(monitor.window / timedelta(hours=1))
    expected = store.packed("drift_heard", np.dtype("<u8"), monitor=monitor.name, hours=hours, end=hi)
    missing = np.setdiff1d(expected, heard)
    if not len(missing):
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    classes = monitor.values is Values.CLASSES
    asked = {"measure": monitor.metric, "service": monitor.service, "classes": classes, "lo": lo, "hi": hi}
    kind = np.dtype([("Above", "<u8"), ("Silent", "<u8")])
    rows = store.packed("drift_silent", kind, monitor=monitor.name, ids=missing.tolist(), **asked)
    return rows["Above"].copy(), rows["Silent"].astype(np.int64)


def mostly_silent(ids: Ids, above: list[Above], heard: list[Counted], missing: Counted) -> NDArray[np.bool_]:
    """Which of the series above devices lack more than HEARD_MIN allows; a segment is judged as its version is. Shape (S,)."""
    if not len(missing[0]):
        return np.zeros(len(ids), dtype=bool)
    _, versions = parents_in(above, ids)
    known = [_taken(block, ids) for block in heard]
    own = np.any([there for _, there in known], axis=0)
    whose = np.where(own, ids, versions)
    present = sum((_taken(block, whose)[0] for block in heard), start=np.zeros(len(ids), dtype=np.int64))
    absent, _ = _taken(missing, whose)
    return np.asarray(present < HEARD_MIN * (present + absent))


def _taken(counted: Counted, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    place, known = places_in(counted[0], ids)
    counts = np.zeros(len(ids), dtype=np.int64)
    counts[known] = counted[1][place[known]]
    return counts, known
