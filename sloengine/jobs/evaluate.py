"""Evaluate: sums over windows in, a status of every slice of every SLO out."""

from __future__ import annotations

import gc
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import numpy as np

from sloengine.errors import StoreError
from sloengine.evaluate.capacity import Fitted, concerned_slos, fit
from sloengine.evaluate.composite import compose
from sloengine.evaluate.cube import COVERED, Cube, assemble, build
from sloengine.evaluate.exclusions import TooManyCuts, absences
from sloengine.evaluate.histogram import summarise
from sloengine.evaluate.judge import judge_all
from sloengine.evaluate.measure import Frame, exclude, frame_of, measure_plan, windows
from sloengine.evaluate.periods import bounds
from sloengine.evaluate.plan import Plans
from sloengine.jobs.deps import Deps
from sloengine.jobs.members import recall
from sloengine.model import Broken, BurnPolicy, Counts, Group, Latency, Sli, Slo, State, Status
from sloengine.rollup.plan import HOUR, floor_hour, floor_minute
from sloengine.times import utc

log = logging.getLogger("sloengine.jobs")

FEW = 500
"""New keys that are asked for by id; of more, all are."""

AGAIN = timedelta(hours=1)
"""After which what was left out, because a tick could not hold it, is tried again: trying costs as much as a tick."""


def evaluate(engine: Deps, now: datetime) -> list[Status]:
    """Judge every SLO on all its windows with one query for all of them.

    An SLO that fails, or that a tick can't hold, is broken; the others go on.
    """
    slos = [slo for slo in engine.catalogue.slos if not slo.components]
    broken = [_broken(b, now) for b in engine.catalogue.broken]
    if not slos:
        return broken
    fitted, frame, whole = _read(engine, slos, now)
    cube = exclude(whole, fitted.exclusions, frame)
    recall(engine, slos, now)
    plans = engine.matches.plans(fitted.slos, cube)
    batches = [measure_plan(plan, cube, whole, frame) for plan in plans.plans]
    found: dict[str, list[Status]] = {}
    absent = absences(fitted.exclusions, engine.catalogue.nodes, frame.edges[0], now)
    with _uncollected():
        judged = judge_all(batches, engine.catalogue.nodes, now, absent)
    for status in judged:
        found.setdefault(status.slo.name, []).append(status)
    for slo, reason in (*plans.failed, *_left_out(fitted, plans, cube)):
        log.error("SLO %s could not be evaluated: %s", slo.name, reason)
        found[slo.name] = [_failed(slo, now, reason)]
    judged = [status for slo in slos for status in found.get(slo.name, ())]
    composed = [status for slo in engine.catalogue.slos if slo.components for status in compose(slo, judged)]
    return judged + composed + broken


def _left_out(fitted: Fitted, plans: Plans, cube: Cube) -> Iterator[tuple[Slo, str]]:
    """SLOs without a verdict because a tick could not hold them, or an exclusion that they need."""
    yield from fitted.left_out
    for exclusion, reason in fitted.dropped:
        names = concerned_slos(plans.plans, cube.layout, exclusion)
        log.error("exclusion %s is left out, of concern to %d SLOs: %s", exclusion.name, len(names), reason)
        yield from ((slo, reason) for slo in fitted.slos if slo.name in names)


def _read(engine: Deps, slos: Sequence[Slo], now: datetime) -> tuple[Fitted, Frame, Cube]:
    """What of the catalogue fits into a tick, and its sums.

    Raises:
        TooManyCuts: keys came up so fast that even what was left is too much.
    """
    known, exclusions = engine.fitted, engine.catalogue.exclusions
    held = known is not None and known[0] is engine.catalogue and timedelta() <= now - known[1] < AGAIN
    fitted = known[2] if known is not None and held else Fitted(tuple(slos), exclusions)
    try:
        return fitted, *_framed(engine, fitted, now)
    except TooManyCuts as error:
        log.warning("the catalogue is too much for a tick: %s", error)
    fitted = fit(slos, exclusions, now, _sizes(engine, slos, now), engine.settings.engine.sums_max)
    engine.fitted = engine.catalogue, now, fitted
    return fitted, *_framed(engine, fitted, now)


def _sizes(engine: Deps, slos: Sequence[Slo], now: datetime) -> dict[str, int]:
    """Keys of each measure since the longest window began."""
    first = min(bounds(window, now)[0] for window in windows(slos))
    rows = engine.store.rows("window_sizes", cuts=[floor_minute(first)], ragged_hours=[floor_hour(now)])
    return {row["Measure"]: row["Keys"] for row in rows}


def _framed(engine: Deps, fitted: Fitted, now: datetime) -> tuple[Frame, Cube]:
    frame = frame_of(fitted.slos, fitted.exclusions, now)
    return frame, read_cube(engine, frame, fitted.measures if fitted.left_out else None)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: a hundred thousand new values, none in a cycle, would make it run through all others."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def read_cube(engine: Deps, frame: Frame, only: Collection[str] | None = None) -> Cube:
    """Everything that was counted since the first edge, by key and band; ``only`` of these measures, if given.

    Raises:
        StoreError: ClickHouse did not answer, or does not know what it counted.
        TooManyCuts: keys and bands are so many that their sums would not fit into the engine's memory.
    """
    folds = engine.folds()
    measures = {fold.measure for fold in folds} | {COVERED}
    asked = {
        "cuts": list(frame.edges),
        "ragged_hours": sorted({floor_hour(edge) for edge in frame.edges}),
        "ragged_days": sorted({floor_hour(edge).replace(hour=0) for edge in frame.edges}),
        "measures": sorted(measures if only is None else measures & set(only)),
    }
    most = engine.settings.engine.sums_max
    bands = engine.store.table("window_bands", **asked, end=frame.at, rows_max=most + 1)
    if len(bands) > most:
        raise _too_much(len(frame.edges), f"more than {most} sums")
    if not bands.size:
        return build((), frame.edges, frame.at, utc)
    ids, rows = np.unique(bands["KeyId"], return_inverse=True)
    keys = engine.matches.keys
    if unknown := keys.missing(ids):
        few = len(unknown) <= FEW
        keys.learn(engine.store.rows("window_keys", **asked, all=not few, ids=unknown if few else [0]))
    if lost := keys.missing(ids):
        raise StoreError(
            f"{len(lost)} keys of the buckets have no name in the store: count_days was not folded for them"
        )
    layout, places = keys.lay_out(ids, (fold.measure for fold in folds if "device" in fold.detail))
    if (cells := len(layout.keys) * len(frame.edges)) > most:
        raise _too_much(len(frame.edges), f"{cells} sums of {len(layout.keys)} keys, {most} at most")
    return assemble(bands, places[rows], layout, (frame.edges, frame.at))


def _too_much(bands: int, what: str) -> TooManyCuts:
    advice = "let exclusions happen less often or last longer each time, share windows, or count by fewer dimensions"
    return TooManyCuts(
        f"windows, dated targets and exclusions cut time into {bands} bands, which makes {what}: {advice}", None
    )


def _failed(slo: Slo, now: datetime, reason: str) -> Status:
    return Status(slo, (), now, State.BROKEN, None, Counts(), None, None, (), reason)


def _broken(broken: Broken, now: datetime) -> Status:
    """An SLO whose definition is wrong stays visible: nobody should take its silence for health."""
    slo = Slo(
        broken.name,
        broken.name,
        "",
        "",
        "",
        Sli(),
        0.5,
        timedelta(days=1),
        (),
        BurnPolicy("none", ()),
        None,
        None,
        broken.source,
    )
    return _failed(slo, now, f"{broken.source}: {broken.reason}")


def latencies(engine: Deps, now: datetime) -> tuple[tuple[Group, Latency], ...]:
    """Quantiles of the last hour by service, model, version and region, from merged buckets."""
    parts: dict[Group, list[tuple[int, float, dict[int, float]]]] = {}
    end = floor_minute(now)
    found = engine.store.rows("window_histograms", measure="edge.inference.duration", start=end - HOUR, end=end)
    for row in found:
        group = tuple((name, row[name]) for name in ("service", "model", "version", "region"))
        parts.setdefault(group, []).append((row["Scale"], row["Zero"], row["Buckets"]))
    merged = ((group, summarise(items)) for group, items in sorted(parts.items()))
    return tuple((group, latency) for group, latency in merged if latency)
