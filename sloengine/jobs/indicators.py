"""Indicators that follow from others: whether budgets burn (M9), the drift index (M5), whether retraining keeps step (M14)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sloengine.evaluate.drift.hourly import band, drift_index
from sloengine.evaluate.retrain import Cadence, confirmations, deployments, judge_day
from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import Derived, settle
from sloengine.jobs.fold import Run
from sloengine.jobs.marks import Debt, mark_name, owed, paid
from sloengine.jobs.parameters import few, runs
from sloengine.model import Slo
from sloengine.rollup.folds import folds_of
from sloengine.rollup.plan import floor_hour
from sloengine.store.client import Row
from sloengine.times import utc

PSI, RETRAIN = "drift.psi", "retrain.step"
REACH = timedelta(days=39)
SETTLE = timedelta(minutes=5)
"""An hour or a day is judged this long after its end, when what usually comes a little late is there."""
BASELINE_MIN = 1000
"""Predictions that a baseline needs …"""
BASELINE_HOURS = 24
"""… and hours that they come from: scores of a morning are no baseline for a night."""
SAME_BINS_MIN = 0.9
"""Share of an hour's predictions that must have been counted in the same bins."""
DRIFTED = 0.25
"""PSI that counts as drift for M14 where no SLO of the service says otherwise."""
DAY = timedelta(days=1)
Series = tuple[str, ...]


def readers(slos: Iterable[Slo], measure: str) -> list[Slo]:
    """SLOs that count rows of a measure."""
    return [slo for slo in slos if any(s.measure == measure for s in slo.sli.selectors)]


def _cuts(slos: Iterable[Slo], measure: str) -> tuple[float, ...]:
    return next((fold.cuts for fold in folds_of(slos) if fold.measure == measure), ())


# --- drift index


def derive_drift(engine: Deps, hours: set[datetime], now: datetime, run: Run) -> set[datetime]:
    """Hourly PSI of each (service, model, version, region)'s scores against its own past; the hours that changed.

    A late hour is part of the baselines of the week after it, which are judged again with it.
    """
    slos = engine.catalogue.slos
    if not readers(slos, PSI) and not readers(slos, RETRAIN):
        return set()
    cuts = tuple(sorted({*_cuts(slos, PSI), *_drift_cuts(slos).values()}))
    span = (floor_hour(now - REACH), floor_hour(now - SETTLE))
    debt = owed(engine, mark_name("drift", cuts), hours, span, now)
    if debt is None:
        return set()
    changed: set[datetime] = set()
    lo = debt.since if debt.since > span[0] else _first_scores(engine, debt)
    while lo < debt.end:
        hi = min(lo + DAY, debt.end)
        rows = [_drift_row(cuts, found) for found in _by_hour(engine.store.rows("drift_hours", lo=lo, hi=hi))]
        changed |= settle(engine.store, PSI, (lo, hi), rows, run)
        lo = hi
    paid(engine, debt, now)
    return changed


def _first_scores(engine: Deps, debt: Debt) -> datetime:
    found = engine.store.rows("drift_begin", **{"from": debt.since})[0]
    return max(debt.since, floor_hour(utc(found["Begin"]))) if found["Found"] else debt.end


def _drift_cuts(slos: Sequence[Slo]) -> dict[str, float]:
    """For each service that M14 watches the PSI that is drift: the lowest that one of its own SLOs draws the line at."""
    watched = {slo.service for slo in readers(slos, RETRAIN)}
    own = {name: _cuts([slo for slo in slos if slo.service == name], PSI) for name in watched}
    return {name: min(own[name], default=DRIFTED) for name in watched}


def _by_hour(rows: Iterable[Row]) -> list[list[Row]]:
    """The histograms of one series and hour: several if it was counted in different bins."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        found.setdefault((_series(row), row["Hour"]), []).append(row)
    return list(found.values())


def _series(row: Row) -> Series:
    return tuple(row[name] for name in ("service", "model", "version", "region"))


def _drift_row(cuts: Sequence[float], rows: Sequence[Row]) -> Derived:
    """Bins are pinned to the baseline: what was counted in others can't be held against it."""
    most = max(rows, key=lambda r: math.fsum(r["Counts"]))
    total = math.fsum(count for r in rows for count in r["Counts"])
    same = math.fsum(most["Counts"]) >= SAME_BINS_MIN * total
    grounded = most["Hours"] >= BASELINE_HOURS and math.fsum(most["Reference"]) >= BASELINE_MIN
    index = drift_index(most["Reference"], most["Counts"]) if same and grounded else None
    above, up_to = band(index, cuts)
    dimensions = dict(zip(("service", "model", "version", "region"), _series(most), strict=True))
    reason = {} if same and grounded else {"reason": "baseline" if same else "bins"}
    return Derived(utc(most["Hour"]), 1.0, dimensions, {"gt": repr(above), "le": repr(up_to), **reason})


# --- retrain cadence


def derive_retrain(
    engine: Deps, hours: set[datetime], now: datetime, run: Run, cadence: Cadence | None = None
) -> set[datetime]:
    """One step a day for each model: did its deployments keep step with its drift; the hours that changed.

    ``hours`` are those whose minutes changed and whose hours are not refolded yet, those of the drift index included.
    """
    cadence, services = cadence or Cadence(), sorted({slo.service for slo in readers(engine.catalogue.slos, RETRAIN)})
    if not services:
        return set()
    span = (_floor_day(now - REACH), _floor_day(now - SETTLE))
    limits = _drift_cuts(engine.catalogue.slos)
    debt = owed(engine, mark_name("retrain", limits, cadence), {_floor_day(h) for h in hours}, span, now)
    if debt is None:
        return set()
    rows = _steps(engine, hours, debt, limits, cadence)
    changed = settle(engine.store, RETRAIN, (debt.since, debt.end), rows, run)
    paid(engine, debt, now)
    return changed


def _steps(
    engine: Deps, hours: set[datetime], debt: Debt, limits: Mapping[str, float], cadence: Cadence
) -> list[Derived]:
    touched = runs(hours)
    fresh = {
        "runs": touched,
        "lo": touched[0][0] if touched else debt.end,
        "hi": touched[-1][1] if touched else debt.end,
    }
    seen: dict[Series, dict[str, datetime]] = {}
    for r in engine.store.rows("deployments", services=few(limits), **fresh):
        seen.setdefault((r["service"], r["model"]), {})[r["version"]] = utc(r["First"])
    since = debt.since - cadence.window - cadence.lead - cadence.within
    found = engine.store.rows("drift_slices", services=few(limits), since=since, **fresh)
    confirmed = _confirmed(found, limits, cadence)
    return [
        row
        for model, versions in sorted(seen.items())
        if model[0] in limits
        for row in _steps_of(model, versions, confirmed.get(model, []), (debt.since, debt.end), cadence)
    ]


def _confirmed(rows: Iterable[Row], limits: Mapping[str, float], cadence: Cadence) -> dict[Series, list[datetime]]:
    """When drift of a model was confirmed, in any version and region of it."""
    drifted: dict[Series, list[datetime]] = {}
    for row in rows:
        if float(row["Over"]) >= limits.get(row["service"], math.inf):
            drifted.setdefault(_series(row), []).append(utc(row["Hour"]))
    found: dict[Series, list[datetime]] = {}
    for series, hours in drifted.items():
        found.setdefault(series[:2], []).extend(confirmations(hours, cadence))
    return found


def _steps_of(
    model: Series,
    versions: Mapping[str, datetime],
    confirmed: Sequence[datetime],
    span: tuple[datetime, datetime],
    cadence: Cadence,
) -> list[Derived]:
    began, deployed = min(versions.values()), deployments(versions, cadence)
    dimensions = dict(zip(("service", "model"), model, strict=True))
    rows: list[Derived] = []
    day = max(span[0], _floor_day(began))
    while day < span[1]:
        step = judge_day(day + DAY, began, deployed, confirmed, cadence)
        rows.append(Derived(day, 1.0, dimensions, {"verdict": step.verdict, "reason": step.reason}))
        day += DAY
    return rows


def _floor_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
