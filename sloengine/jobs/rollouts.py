"""Rollouts (M6): which devices of a rollout were updated, which failed, which never came to an end. By device, not by job."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import Derived, settle
from sloengine.jobs.fold import Run, fold_hours
from sloengine.jobs.predictions import CLOCK_AHEAD, EPOCH, KEPT
from sloengine.model import DIMENSIONS, RolloutTarget, Source
from sloengine.rollup.folds import Fold, fingerprint
from sloengine.rollup.plan import floor_hour, floor_minute
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.times import utc

DEVICES = "rollout.devices"
UNFINISHED_AFTER = timedelta(hours=24)
"""How long a device may take from its last start, or from the declaration of what it should get, until that counts as failed."""
TARGET_COLUMNS = [
    "RolloutId",
    "DeviceId",
    "At",
    "Wave",
    "ServiceName",
    "ModelName",
    "ModelVersion",
    "Withdrawn",
    "IngestTime",
]
AROUND = timedelta(days=1)
"""How far from its events a device's minute may be stored, beside what clocks are known to be off by."""


def derive_rollouts(
    engine: Deps, now: datetime, run: Run, again: tuple[tuple[datetime, datetime], ...] = ()
) -> set[datetime]:
    """Count anew the rollouts of which something came in or grew old since the last run; the hours that changed, folded already.

    ``again``: spans of ingest time whose arrivals are counted anew, because what is known to be wrong with them has changed.
    """
    found = [fold for fold in engine.folds() if fold.measure == DEVICES]
    shape = found[0] if found else Fold(Source.DERIVED, DEVICES, DEVICES)
    mark = f"{DEVICES}:{fingerprint([shape])}"
    with transaction(engine.state) as connection:
        since = watermark(connection, mark)
    cause = "backfill" if since is None else run.cause
    named = {
        row["RolloutId"]
        for start, end in ((since or EPOCH, now), *again)
        for row in engine.store.rows("rollouts_touched", since=start, until=end, **_limit(), margin=_margin(run))
    }
    touched: set[datetime] = set()
    for rollout in sorted(named):
        touched |= _count(engine, shape, rollout, now, Run(run.revision, cause, run.corrections))
    fold_hours(engine.store, touched, run.revision, [DEVICES])
    with transaction(engine.state) as connection:
        set_watermark(connection, mark, now - timedelta(seconds=engine.settings.engine.insert_limit_s))
    return touched


def publish_targets(engine: Deps, now: datetime) -> None:
    """Copy the devices that the catalogue's rollouts are meant to reach to ClickHouse, where they differ.

    A device that left its rollout is withdrawn. A rollout that left the catalogue stays as it was declared: tidying up files
    must not make a rollout that stopped half-way look done.
    """
    listed = {(t.rollout, t.device): t for t in engine.catalogue.targets if t.at > now - KEPT}
    rollouts = sorted({rollout for rollout, _ in listed})
    known = {
        (row["RolloutId"], row["DeviceId"]): _target_of(row)
        for row in (engine.store.rows("rollouts_declared", rollouts=rollouts) if rollouts else ())
    }
    changed = [(t, False) for key, t in listed.items() if known.get(key) != (t, False)]
    changed += [(t, True) for key, (t, withdrawn) in known.items() if key not in listed and not withdrawn]
    rows: list[list[object]] = [
        [t.rollout, t.device, t.at, t.wave, t.service, t.model, t.version, withdrawn, now] for t, withdrawn in changed
    ]
    engine.store.insert("rollout_targets", TARGET_COLUMNS, rows)


def _target_of(row: dict[str, Any]) -> tuple[RolloutTarget, bool]:
    who, about = (row["RolloutId"], row["DeviceId"], row["ServiceName"]), (row["ModelName"], row["ModelVersion"])
    return RolloutTarget(*who, utc(row["At"]), row["Wave"], *about), row["Withdrawn"]


def _limit() -> dict[str, int]:
    return {"limit": int(UNFINISHED_AFTER.total_seconds())}


def _margin(run: Run) -> int:
    return run.corrections.margin_s


def _count(engine: Deps, shape: Fold, rollout: str, now: datetime, run: Run) -> set[datetime]:
    """Settle one rollout whole. The hours of all its events are returned, changed or not: a run that died before it folded
    hours leaves nothing to change behind."""
    known = run.corrections.parameters
    names = sorted({*shape.asked, "state"})
    found = engine.store.rows(
        "rollouts_devices",
        rollout=rollout,
        now=now,
        asked=names,
        detail=list(shape.detail),
        oldest=floor_minute(now - KEPT),
        newest=now + CLOCK_AHEAD,
        **_limit(),
        **known,
    )
    rows = [_row(row, rollout, names) for row in found]
    span = engine.store.rows("rollouts_span", rollout=rollout)[0]
    # Or what a clock of days has moved is not found again, and its device counts in each state that it ever was in.
    reach = AROUND + timedelta(seconds=_margin(run))
    around = (floor_minute(utc(span["First"]) - reach), floor_minute(utc(span["Last"]) + reach))
    changed = settle(engine.store, DEVICES, around, rows, run, rollouts={rollout})
    return changed | {floor_hour(row.minute) for row in rows} | {utc(hour) for hour in span["Hours"]}


def _row(row: dict[str, Any], rollout: str, names: list[str]) -> Derived:
    dimensions = {name: row[name] for name in DIMENSIONS if name != "rollout"} | {"rollout": rollout}
    return Derived(utc(row["Minute"]), row["Devices"], dimensions, dict(zip(names, row["Asked"], strict=True)))
