"""What every job is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import Engine

from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings
from sloengine.evaluate.capacity import Fitted
from sloengine.evaluate.plan import Matches
from sloengine.jobs.fold import Corrections
from sloengine.model import (
    Catalogue,
    Snapshot,
)
from sloengine.notify.pace import Pace
from sloengine.rollup.folds import Fold, folds_of
from sloengine.store.client import Store
from sloengine.telemetry import Dropped

if TYPE_CHECKING:
    from sloengine.jobs.history import Debt


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
    matches: Matches = field(default_factory=Matches)
    corrections: Corrections = field(default_factory=Corrections)
    """Clocks that are off and gateways that are not trusted, as known at the last tick."""
    broken_queries: dict[str, str] = field(default_factory=dict)
    """SQL measures whose query failed, and why."""
    slices_seen: dict[tuple[int, datetime], tuple[int, datetime]] = field(default_factory=dict)
    """Sums of slices judged lately, by hash, so that an unchanged slice is not judged again."""
    derive_problems: list[str] = field(default_factory=list)
    """Measures that could not be worked out in the last tick, in words."""
    refusing: set[str] = field(default_factory=set)
    """Targets that refused something for good and have taken nothing since, as far as this engine knows."""
    paces: dict[str, Pace] = field(default_factory=dict)
    """How fast each target may be sent to."""
    routing_problems: tuple[str, ...] = ()
    """Why a changed ``alerting.yaml`` is not taken up, in words."""
    routing_moved: bool = False
    """Whether what fires is in the groups that the routing in force names."""
    drift_problems: list[str] = field(default_factory=list)
    """Drift monitors that could not look in their last turn, in words."""
    history: dict[str, Debt] = field(default_factory=dict)
    """What is still to be counted anew because the catalogue has changed, by source."""
    folds_held: tuple[Catalogue, tuple[Fold, ...]] | None = None
    fitted: tuple[Catalogue, datetime, Fitted] | None = None
    """What of the catalogue fits into a tick, since when, where not all of it does."""
    behind: bool = True
    """Whether a roll-up, this engine's or another's, may have left hours behind that it should have folded."""
    counted_until: datetime | None = None
    deaf_until: datetime | None = None
    """When a tick last failed, or the engine came back after a pause: until then nobody could have been heard."""

    def folds(self) -> tuple[Fold, ...]:
        """What the catalogue asks of raw tables; worked out once, for ten thousand SLOs take a third of a second."""
        if self.folds_held is None or self.folds_held[0] is not self.catalogue:
            asked = self.catalogue
            self.folds_held = asked, folds_of(asked.slos, asked.exclusions, asked.monitors)
        return self.folds_held[1]
