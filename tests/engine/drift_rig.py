"""A fleet's hours of histograms, put into the store as the roll-up would have folded them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from engine_rig import Rig

from sloengine.jobs.history import EPOCH
from sloengine.jobs.marks import mark_name, move_marks
from sloengine.jobs.watched import LEFT
from sloengine.monitor import DriftMonitor
from sloengine.store.client import Store

METRIC, SERVICE = "edge.inference.score", "digits"
BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CALM = np.array([2, 3, 4, 6, 8, 10, 14, 18, 20, 15.0])
CALM = CALM / CALM.sum()
MOVED = np.array([8, 9, 10, 11, 12, 12, 12, 10, 9, 7.0])
MOVED = MOVED / MOVED.sum()

COLUMNS = [
    "Measure",
    "ServiceName",
    "ModelName",
    "ModelVersion",
    "Region",
    "GatewayId",
    "DeviceId",
    "Attributes",
    "Hour",
    "Scale",
    "Bounds",
    "Zero",
    "First",
    "Counts",
    "NegativeFirst",
    "Negatives",
    "Items",
    "Revision",
]


def watched_by(rig: Rig, *monitors: DriftMonitor) -> None:
    """These are the catalogue's monitors, and nothing of their past is left to be folded."""
    rig.deps.catalogue = replace(rig.catalogue, monitors=monitors)
    move_marks(rig.deps, {mark_name(LEFT, monitor.metric): EPOCH for monitor in monitors})


@dataclass(frozen=True, slots=True)
class Device:
    name: str = "node-1"
    model: str = "m"
    version: str = "1"
    region: str = "eu"
    gateway: str = "gw-1"
    segment: str = ""


@dataclass
class Hours:
    """Rows on their way to ``histogram_hours``."""

    store: Store
    rows: list[list[Any]] = field(default_factory=list)
    revision: int = 1

    def explicit(
        self, device: Device, hour: datetime, counts: Sequence[float], bounds: Sequence[float] = BOUNDS
    ) -> None:
        self._add(device, hour, [0, list(bounds), 0.0, 0, [float(c) for c in counts], 0, []])

    def exponential(
        self,
        device: Device,
        hour: datetime,
        scale: int,
        positive: tuple[int, Sequence[float]],
        *,
        zero: float = 0.0,
        negative: tuple[int, Sequence[float]] = (0, ()),
    ) -> None:
        self._add(device, hour, [scale, [], zero, positive[0], list(positive[1]), negative[0], list(negative[1])])

    def _add(self, device: Device, hour: datetime, grid: list[Any]) -> None:
        attributes = json.dumps({"segment": device.segment}) if device.segment else ""
        names = [device.model, device.version, device.region, device.gateway, device.name, attributes]
        self.rows.append([METRIC, SERVICE, *names, hour, *grid, 1, self.revision])

    def flush(self) -> None:
        self.store.insert("histogram_hours", COLUMNS, self.rows)
        self.rows = []
