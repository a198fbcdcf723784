"""Predictions and their labels: accuracy (M3), label lag (M12) and calibration (M15), by the time of the prediction.

What came in decides which minutes are counted anew; a label touches its prediction's minute, however long ago that is. What
merely got older is counted anew when it reaches an age that matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import inf
from typing import Any

from sloengine.evaluate.calibration import Calibration, ScoreBin, judge_calibration
from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import Derived, settle
from sloengine.jobs.fold import Run, asked, fold_hours
from sloengine.marked import UNSETTLED
from sloengine.model import Source
from sloengine.rollup.folds import Fold, fingerprint
from sloengine.rollup.plan import HOUR, MINUTE, Batch, floor_hour, floor_minute, hours_of
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.store.client import Store
from sloengine.times import utc

PREDICTIONS, LAG, BINS, ECE = "predictions", "label.lag", "calibration.bins", "calibration.ece"
WAIT = timedelta(hours=24)
"""How long a prediction waits for its label before it counts as unlabelled: the default limit of M12."""
SLICE = timedelta(days=1)
"""What one verdict on calibration covers: a day in UTC. Labels are few; an hour of them can rarely say anything."""
KEPT = timedelta(days=399)
"""A day less than predictions and labels are kept: a bucket is recomputed only while all its predictions are there."""
CLOCK_AHEAD = timedelta(days=1)
"""Predictions further in the future are no clock that is off but nonsense, and are left alone."""
RECORDS_MAX = 1_000_000
"""Records that one statement reads when everything is counted anew."""
EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
AGED = "time"
"""Why a minute is counted anew in which nothing came in: predictions grew old without a label."""

UNITS_MAX = 1000
"""Minutes of gateways that one statement counts anew: they are named in it, and a request has a length."""

Units = dict[tuple[str, datetime], str]
"""Minutes (or hours) of gateways, and why each is counted anew."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one statement counts anew: all of some gateways in ``[lo, hi)``, or of it only the named units of gateways."""

    gateways: tuple[str, ...]
    lo: datetime
    hi: datetime
    unit: timedelta = MINUTE
    units: Mapping[tuple[str, datetime], str] = field(default_factory=dict)

    @property
    def hours(self) -> set[datetime]:
        if self.units:
            return {floor_hour(at) for _, at in self.units}
        return hours_of([Batch(self.gateways, self.lo, self.hi)])

    def by_hour(self) -> Piece | None:
        """The same for what is counted by hour; None if nothing but time passed: that changes no label."""
        if not self.units:
            return self
        hours: Units = {}
        for (gateway, minute), cause in self.units.items():
            if cause != AGED:
                hours.setdefault((gateway, floor_hour(minute)), cause)
        return _named(hours, HOUR) if hours else None

    def parameters(self, margin_s: int) -> dict[str, Any]:
        """As statements want it: hours and minutes since 1970 to read, units as (place of the gateway, seconds since lo)."""
        places = {gateway: place for place, gateway in enumerate(self.gateways, 1)}
        margin = timedelta(seconds=margin_s)
        read = {hour for _, at in self.units for hour in hours_of([Batch((), at - margin, at + self.unit + margin)])}
        near = {at for _, at in self.units} if self.unit == MINUTE and not margin_s else set()
        causes = sorted(set(self.units.values()))
        return {
            "gateways": list(self.gateways),
            "lo": self.lo,
            "hi": self.hi,
            "unit": int(self.unit.total_seconds()),
            "units": [(places[gateway], int((at - self.lo).total_seconds())) for gateway, at in self.units],
            "hours": sorted(int(hour.timestamp()) // 3600 for hour in read),
            "minutes": sorted(int(at.timestamp()) // 60 for at in near),
            "causes": causes or ["backfill"],
            "why": "".join(str(causes.index(cause) + 1) for cause in self.units.values()),
        }


def _named(units: Units, unit: timedelta) -> Piece:
    times = [at for _, at in units]
    gateways = tuple(sorted({gateway for gateway, _ in units}))
    return Piece(gateways, min(times), max(times) + unit, unit, units)


def _chunks(minutes: Units) -> list[Piece]:
    """Oldest first, so that what lies together is read together."""
    listed = sorted(minutes.items(), key=lambda item: (item[0][1], item[0][0]))
    return [_named(dict(listed[i : i + UNITS_MAX]), MINUTE) for i in range(0, len(listed), UNITS_MAX)]


@dataclass(frozen=True, slots=True)
class Shapes:
    """What SLOs ask of the three measures. Verdicts are always counted: coverage is shown whether or not anyone promised it."""

    verdicts: Fold
    lag: Fold | None
    ece: Fold | None

    @property
    def folds(self) -> tuple[Fold, ...]:
        return tuple(fold for fold in (self.verdicts, self.lag, self.ece) if fold)

    @property
    def counted(self) -> tuple[Fold, ...]:
        """Those that are sums over predictions, with the attributes that are their own."""
        found = [_with(self.verdicts, "verdict")]
        return tuple(found + ([_with(self.lag, "gt", "le", UNSETTLED)] if self.lag else []))

    @property
    def ages(self) -> list[timedelta]:
        """Ages at which a prediction without a label becomes something else."""
        seconds = {WAIT.total_seconds(), *(self.lag.cuts if self.lag else ())}
        return [timedelta(seconds=s) for s in sorted(seconds) if 0 < s <= KEPT.total_seconds()]

    @property
    def measures(self) -> list[str]:
        return [fold.measure for fold in self.counted] + ([BINS, ECE] if self.ece else [])


def _with(fold: Fold, *names: str) -> Fold:
    return replace(fold, asked=tuple(sorted({*fold.asked, *names})))


def shapes_of(folds: Iterable[Fold]) -> Shapes:
    found = {fold.measure: fold for fold in folds if fold.source is Source.DERIVED}
    return Shapes(
        found.get(PREDICTIONS, Fold(Source.DERIVED, PREDICTIONS, PREDICTIONS)), found.get(LAG), found.get(ECE)
    )


def derive_predictions(
    engine: Deps, now: datetime, run: Run, again: Iterable[tuple[datetime, datetime]] = ()
) -> set[datetime]:
    """Count anew what came in or grew old since the last run; the hours that were touched, which are folded already.

    ``again``: spans of ingest time whose arrivals are counted anew, because what is known to be wrong with them has changed.
    """
    shapes = shapes_of(engine.folds())
    mark = f"{PREDICTIONS}:{fingerprint(shapes.folds)}"
    with transaction(engine.state) as connection:
        since = watermark(connection, mark)
    work = _everything(engine, now, run) if since is None else _touched(engine, shapes, (since, now), again, run)
    for piece in work:
        _count(engine.store, shapes, piece, now, run)
    hours = {hour for piece in work for hour in piece.hours}
    if shapes.ece:
        judged = [part for part in (piece.by_hour() for piece in work) if part]
        days = {hour.replace(hour=0) for part in judged for hour in part.hours}
        for day in sorted(days):
            _judge_day(engine.store, shapes, day, run)
        hours |= days
    fold_hours(engine.store, hours, run.revision, shapes.measures)
    with transaction(engine.state) as connection:
        set_watermark(connection, mark, now - timedelta(seconds=engine.settings.engine.insert_limit_s))
    return hours


# --- which minutes


def _touched(
    engine: Deps,
    shapes: Shapes,
    span: tuple[datetime, datetime],
    again: Iterable[tuple[datetime, datetime]],
    run: Run,
) -> list[Piece]:
    since, now = span
    minutes: Units = {}
    for start, end in (span, *again):
        rows = engine.store.rows("predictions_touched", since=start, until=end, **_known(run), **_believable(now))
        for row in rows:
            # Arrivals come first, and the first cause is said.
            cause = run.cause if row["Cause"] == "arrival" else row["Cause"]
            minutes.setdefault((row["GatewayId"], utc(row["Minute"])), cause)
    for age in shapes.ages:
        for row in engine.store.rows("predictions_aged", **{"from": since - age, "until": now - age}, **_known(run)):
            minutes.setdefault((row["GatewayId"], utc(row["Minute"])), AGED)
    return _chunks(minutes)


def _everything(engine: Deps, now: datetime, run: Run) -> list[Piece]:
    """All days that there are, as many gateways at once as one statement can take."""
    work: list[Piece] = []
    rows = engine.store.rows("predictions_days", **_known(run), **_believable(now))
    for day, listed in groupby(rows, key=lambda row: utc(row["Day"])):
        gateways: list[str] = []
        records = 0
        for row in listed:
            if gateways and records + row["Records"] > RECORDS_MAX:
                work.append(Piece(tuple(gateways), day, day + SLICE))
                gateways, records = [], 0
            gateways.append(row["GatewayId"])
            records += row["Records"]
        work.append(Piece(tuple(gateways), day, day + SLICE))
    return work


def _believable(now: datetime) -> dict[str, datetime]:
    return {"oldest": floor_minute(now - KEPT), "newest": now + CLOCK_AHEAD}


def _known(run: Run) -> dict[str, Any]:
    """What is known to be wrong with what came in; statements take of it what they need."""
    return run.corrections.parameters


# --- what is counted


def _count(store: Store, shapes: Shapes, piece: Piece, now: datetime, run: Run) -> None:
    common = {
        "now": now,
        "wait": WAIT.total_seconds(),
        "revision": run.revision,
        **_known(run),
    }
    margin, given = run.corrections.margin_s, asked(shapes.counted)
    shape = {"measures": given["measures"], "folds": given["folds"]}
    store.run("predictions_fold", **common, **piece.parameters(margin), **shape)
    hours = piece.by_hour() if shapes.ece else None
    if hours:
        store.run("predictions_bins", **common, **hours.parameters(margin), measures=[BINS])


# --- calibration


def _judge_day(store: Store, shapes: Shapes, day: datetime, run: Run) -> None:
    cuts = shapes.ece.cuts if shapes.ece else ()
    names = ("service", "model", "version", "region")
    found = store.rows("calibration_bins", lo=day, hi=day + SLICE)
    rows = [
        Derived(day, 1, dict(zip(names, key, strict=True)), _band(_judged(list(listed)), cuts))
        for key, listed in groupby(found, key=lambda row: tuple(row[name] for name in names))
    ]
    settle(store, ECE, (day, day + SLICE), rows, run)


def _judged(rows: Sequence[dict[str, Any]]) -> Calibration:
    """Bounds of the ECE from a slice's score bins. Weights that differ make fewer of so many labels: (Σw)² / Σw² (Kish 1965)."""
    held = [row for row in rows if row["Bin"]]
    weight, squares = sum(row["Weight"] for row in held), sum(row["Squares"] for row in held)
    bins = [ScoreBin(row["Weight"], min(row["Scores"], row["Weight"]), row["Correct"]) for row in held]
    return judge_calibration(bins, weight**2 / squares if squares else 0.0, threshold=0.0)


def _band(judged: Calibration, cuts: Sequence[float]) -> dict[str, str]:
    """Between which cuts the ECE surely lies: above a cut if it would be judged bad by it, at most a cut if good."""
    if judged.error is None:
        return {"gt": "-inf", "le": "inf"}
    above = max((cut for cut in cuts if judged.low > cut), default=-inf)
    below = min((cut for cut in cuts if judged.high <= cut), default=inf)
    return {"gt": str(above), "le": str(below)}
