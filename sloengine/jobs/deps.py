"""What every job is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from sqlalchemy import Engine

from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings
from sloengine.model import (
    Catalogue,
    Snapshot,
)
from sloengine.store.client import Store
from sloengine.telemetry import Dropped


@dataclass
class Deps:
    """What every job needs. The clock is a parameter so that tests and scenarios own the time."""

    settings: Settings
    catalogue: Catalogue
    alerting: Alerting
    store: Store
    state: Engine
    http: httpx.Client
    clock: Callable[[], datetime]
    holder: str
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(at=None))
    statuses_written_at: datetime | None = None
    left_out: Dropped = field(
        default_factory=lambda: Dropped("sloengine_rollup_left_out_total", "Points no bucket holds.")
    )
    counted_until: datetime | None = None
    deaf_until: datetime | None = None
    """When a tick last failed, or the engine came back after a pause: until then nobody could have been heard."""
