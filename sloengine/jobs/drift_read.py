"""What a drift monitor looks at, read from the store a block of devices at a time, in pinned bins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import layout
from sloengine.evaluate.drift.layout import Shape
from sloengine.evaluate.drift.levels import DEVICE, MODEL, REGION, VERSION, Floats, Rows
from sloengine.monitor import DriftMonitor, Values
from sloengine.store.client import Row, Store, packed_array

BLOCK = 70_000
"""Rows that are worked on at once, up to half as many more where that saves a block: some three hundred megabytes at 64 bins."""
LABELS_MAX = 1000
SHAPES_MAX = 16
"""Grids of one window that are read, the most used first; what was counted in any other one has no place."""
Span = tuple[datetime, datetime]
Block = tuple[int, int]
"""Of so many blocks this one: devices whose id leaves it as a remainder."""
WHOLE: Block = (1, 0)
Grids = Sequence[tuple[Shape, int]]
"""What was counted in, the most used first, with about how many rows each gives."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Pinned bins: between edges, or one for each label and a first one for everything else."""

    edges: Floats | None = None
    labels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(self.labels) + 1 if self.edges is None else len(self.edges) - 1

    @property
    def told(self) -> bytes:
        """For checksums."""
        return repr((None if self.edges is None else self.edges.tolist(), self.labels)).encode()


@dataclass(frozen=True, slots=True)
class Only:
    """Part of a fleet; empty: all of it."""

    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    segment: str = ""
    value: str = ""

    @property
    def asked(self) -> dict[str, object]:
        return {
            "models": list(self.models),
            "own_versions": list(self.versions),
            "regions": list(self.regions),
            "devices": list(self.devices),
            "segment": self.segment,
            "value": self.value,
        }


ALL = Only()


@dataclass(frozen=True, slots=True)
class Reading:
    """Hours of one monitor's metric."""

    monitor: DriftMonitor
    span: Span
    stands_for: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(model, version) that are read as other versions, and nothing else then; empty: each as itself."""
    only: Only = ALL

    @property
    def values(self) -> dict[str, object]:
        lo, hi = self.span
        return {"measure": self.monitor.metric, "service": self.monitor.service, "lo": lo, "hi": hi}

    @property
    def names(self) -> dict[str, object]:
        return {
            "monitor": self.monitor.name,
            "segments": list(self.monitor.segments),
            "versions": [f"{model}\n{version}" for model, version in self.stands_for],
            "stand_for": list(self.stands_for.values()),
        }


def register(store: Store, reading: Reading) -> None:
    """Note the names of series that are new in these hours."""
    monitor = reading.monitor
    classes = monitor.values is Values.CLASSES
    store.run("drift_register", **reading.values, **reading.names, levels=list(monitor.levels), classes=classes)


def grids_of(store: Store, reading: Reading) -> Grids:
    """All counts of the hours are read for it: ask once for all blocks. Classes have none."""
    if reading.monitor.values is Values.CLASSES:
        return []
    return [(_shape(row), int(row["Held"])) for row in store.rows("drift_shapes", **reading.values)]


def _shape(row: Row) -> Shape:
    if row["Bounds"]:
        return Shape(0, tuple(row["Bounds"]), events=row["Events"])
    positive = (row["Low"], row["High"]) if row["Positives"] else (0, -1)
    negative = (row["Near"], row["Far"]) if row["Negative"] else (0, -1)
    return Shape(row["Scale"], (), positive, negative, row["Events"])


def bins_of(store: Store, reading: Reading) -> Bins | None:
    """Bins to pin a baseline of these hours to; None if they hold nothing."""
    if reading.monitor.values is Values.CLASSES:
        asked = {**reading.values, "class": reading.monitor.class_attribute, "most": LABELS_MAX}
        labels = tuple(sorted(row["Label"] for row in store.rows("drift_labels", **asked)))
        return Bins(labels=labels) if labels else None
    found = [shape for shape, _ in grids_of(store, reading)]
    return Bins(layout.pinned(found)) if found else None


def blocks_of(store: Store, reading: Reading, grids: Grids) -> list[Block]:
    """Into how many blocks a window's devices are put, so that each holds about BLOCK rows."""
    if reading.monitor.values is Values.CLASSES:
        asked = {**reading.values, "class": reading.monitor.class_attribute, "most": LABELS_MAX}
        rows = max((int(row["Devices"]) for row in store.rows("drift_labels", **asked)), default=0)
    else:
        rows = sum(held for _, held in grids)
    blocks = max(1, math.ceil(rows / BLOCK - 0.5))
    return [(blocks, block) for block in range(blocks)]


def read_blocks(store: Store, reading: Reading, bins: Bins) -> Iterator[tuple[Block, Rows]]:
    """All rows, block by block."""
    grids = grids_of(store, reading)
    for block in blocks_of(store, reading, grids):
        yield block, read_rows(store, reading, bins, block, grids)


def read_rows(store: Store, reading: Reading, bins: Bins, block: Block = WHOLE, grids: Grids | None = None) -> Rows:
    """The rows of one block; a device is in one of them only. ``grids`` where they are known already."""
    if bins.edges is None:
        return _classes(store, reading, bins, block)
    found = (grids_of(store, reading) if grids is None else grids)[:SHAPES_MAX]
    if not found:
        return _rows(np.zeros(0, _kind(reading, bins.size)), np.zeros((0, bins.size)), np.zeros(0))
    return _joined([_histograms(store, reading, bins.edges, shape, block) for shape, _ in found])


def _histograms(store: Store, reading: Reading, edges: Floats, shape: Shape, block: Block) -> Rows:
    wide = layout.spanning(shape, edges)
    (low, high), (near, far) = wide.positive, wide.negative
    asked = {
        **reading.values,
        **reading.names,
        **reading.only.asked,
        "scale": wide.scale,
        "bounds": list(wide.bounds),
        "low": low,
        "high": high,
        "near": near,
        "far": far,
        "blocks": block[0],
        "block": block[1],
    }
    found = store.packed("drift_leaves", _kind(reading, wide.buckets), **asked)
    at = layout.places(wide.edges, edges)
    return _rows(found, *layout.placed(found["counts"], at, len(edges) - 1))


def _classes(store: Store, reading: Reading, bins: Bins, block: Block) -> Rows:
    told = {**reading.values, **reading.names, **reading.only.asked}
    own = {**told, "class": reading.monitor.class_attribute, "labels": list(bins.labels)}
    found = store.packed("drift_classes", _kind(reading, bins.size), **own, blocks=block[0], block=block[1])
    return _rows(found, found["counts"], np.zeros(len(found)))


def _kind(reading: Reading, buckets: int) -> np.dtype[np.void]:
    segments = len(reading.monitor.segments)
    return np.dtype(
        [
            (MODEL, "<u8"),
            (VERSION, "<u8"),
            (REGION, "<u8"),
            (DEVICE, "<u8"),
            ("peers", "<u8"),
            *packed_array("segments", "<u8", segments),
            *packed_array("segment_peers", "<u8", segments),
            *packed_array("counts", "<f8", buckets),
        ]
    )


def _rows(found: NDArray[Any], counts: Floats, lost: Floats) -> Rows:
    ids = {level: found[level].copy() for level in (MODEL, VERSION, REGION, DEVICE)}
    return Rows(ids, found["segments"], found["peers"].copy(), found["segment_peers"], counts, lost)


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    ids = {level: np.concatenate([part.ids[level] for part in parts]) for level in parts[0].ids}
    rest = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("segments", "peers", "segment_peers", "counts", "lost")
    )
    return Rows(ids, *rest)
