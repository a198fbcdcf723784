"""What is known to be wrong with what came in, read without touching what the engine has yet to act on."""

from __future__ import annotations

from datetime import datetime, timedelta

from sloengine.jobs.fold import Corrections
from sloengine.jobs.places import roaming_of
from sloengine.store.client import Store
from sloengine.times import utc

KEPT = timedelta(days=60)
"""As far back as raw rows may matter; the engine's own reach."""


def corrections_at(store: Store, now: datetime) -> Corrections:
    """Clocks that are off, gateways in quarantine and devices that move, as the engine's roll-ups see them."""
    oldest = now - KEPT
    skew = store.rows("clock_offsets", oldest=oldest)
    held = store.rows("quarantines")
    return Corrections(
        skew=tuple((r["DeviceId"], utc(r["Since"]), utc(r["Until"]), int(r["OffsetMs"])) for r in skew),
        quarantine=tuple(
            (r["GatewayId"], utc(r["Since"]), utc(r["Until"]))
            for r in held
            if utc(r["Until"]) >= oldest and not r["Lifted"]
        ),
        roaming=roaming_of(store, now),
    )
