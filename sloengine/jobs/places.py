"""Places: through which gateways devices were heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sloengine.jobs.deps import Deps
from sloengine.rollup.roaming import Roaming, Stay
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.store.client import Store
from sloengine.times import utc

HEARD = "places"
RAW_KEPT = timedelta(days=41)
EPOCH = datetime(1970, 1, 2, tzinfo=UTC)


def hear_places(engine: Deps, now: datetime) -> None:
    """Note where what came in since the last time came through; before anything is folded, or a device that has just moved would
    seem to begin anew."""
    with transaction(engine.state) as connection:
        since = watermark(connection, HEARD) or EPOCH
    oldest, newest = now - RAW_KEPT, now + timedelta(days=2)
    engine.store.run("hear_places", since=since, until=now, oldest=oldest, newest=newest)
    with transaction(engine.state) as connection:
        set_watermark(connection, HEARD, now - timedelta(seconds=engine.settings.engine.insert_limit_s))


def roaming_of(store: Store, now: datetime) -> Roaming:
    """Devices that were heard through more than one gateway while raw rows are kept."""
    found = store.rows("roaming", oldest=now - RAW_KEPT)
    return Roaming(
        {r["DeviceId"]: tuple(Stay(g, utc(first), utc(last)) for g, first, last in r["Places"]) for r in found}
    )
