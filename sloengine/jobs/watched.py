"""Watched: hours of the histograms that drift monitors look at; of what is newly watched the past too, newest first."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sloengine.errors import StoreError, StoreUnavailable
from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import fold_histogram_hours
from sloengine.jobs.history import EPOCH
from sloengine.jobs.marks import drop_marks, mark_name, move_marks, read_marks
from sloengine.jobs.recount import CLOCK_AHEAD
from sloengine.rollup.folds import watched
from sloengine.rollup.plan import MAX_ITEMS
from sloengine.times import utc

log = logging.getLogger("sloengine.jobs")

LEFT = "histogram-hours"
"""Mark of a measure: hours before it are left to be folded; ``EPOCH``: none."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Left of a measure that no engine has seen watched yet."""
DAY = timedelta(days=1)


def fold_watched(engine: Deps, touched: Collection[datetime], now: datetime, revision: int) -> None:
    """Refold the touched hours, and for about ``history_s`` what is left of the past, at least a piece of it.

    What fails is owed, and told in ``derive_problems``: no verdict of an SLO waits for it.
    """
    names = {mark_name(LEFT, measure): measure for measure in watched(engine.catalogue.monitors)}
    left = _left(engine, names, now)
    try:
        fold_histogram_hours(engine.store, touched, revision, list(names.values()))
        _work_off(engine, names, left, revision)
    except StoreUnavailable:
        raise
    except StoreError as error:
        log.error("hours of histograms could not be folded: %s", error)
        engine.derive_problems.append(f"hours of histograms, which drift is told from: {error}")
        behind = max(touched, default=EPOCH) + DAY
        move_marks(engine, {name: max(left[name], behind) for name in names})


def past_is_owed(engine: Deps, metric: str) -> bool:
    """Whether hours of a metric that was newly watched are still being folded."""
    return metric in owed_before(engine)


def _left(engine: Deps, names: Iterable[str], now: datetime) -> dict[str, datetime]:
    """What is left of each; of a measure that was not watched until now, all. While nobody watches, hours fall behind."""
    marks = read_marks(engine, LEFT)
    drop_marks(engine, marks.keys() - set(names))
    return {name: marks.get(name, now + CLOCK_AHEAD) for name in names}


def _work_off(engine: Deps, names: Mapping[str, str], left: dict[str, datetime], revision: int) -> None:
    """Backwards in time, all measures that are owed it at once."""
    began, limit = engine.clock(), timedelta(seconds=engine.settings.engine.history_s)
    while (newest := max(left.values(), default=EPOCH)) > EPOCH:
        due = [name for name, at in left.items() if at == newest]
        measures = [names[name] for name in due]
        hours, begin = _newest_hours(engine, measures, newest)
        fold_histogram_hours(engine.store, hours, revision, measures)
        left |= dict.fromkeys(due, begin if _holds_before(engine, begin) else EPOCH)
        move_marks(engine, {name: left[name] for name in due})
        if engine.clock() - began >= limit:
            break


def _newest_hours(engine: Deps, measures: Sequence[str], before: datetime) -> tuple[list[datetime], datetime]:
    """Hours of the day before a moment that hold minutes, as many as a statement may read; and where they begin."""
    day = (before - timedelta.resolution).replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[datetime] = []
    rows = 0
    for row in engine.store.rows("watched_hours", lo=day, hi=before, measures=list(measures)):
        rows += row["Held"]
        if found and rows > MAX_ITEMS:
            return found, found[-1]
        found.append(utc(row["Hour"]))
    return found, day


def _holds_before(engine: Deps, moment: datetime) -> bool:
    """Whether there is any older minute, of whatever measure: days are partitions, so this reads none."""
    rows = engine.store.sql_rows("SELECT min(Minute) AS Oldest, count() AS Held FROM histogram_minutes")
    return bool(rows[0]["Held"]) and utc(rows[0]["Oldest"]) < moment


def owed_before(engine: Deps) -> dict[str, datetime]:
    """Of each watched measure that is owed some, before when hours are still to be folded."""
    marks = read_marks(engine, LEFT)
    found = {measure: marks.get(mark_name(LEFT, measure), LATEST) for measure in watched(engine.catalogue.monitors)}
    return {measure: at for measure, at in found.items() if at > EPOCH}


def in_words(engine: Deps) -> list[str]:
    """What people should know of it."""
    return [
        f"hours of {measure} before {at:%Y-%m-%d %H:%M} UTC are still to be folded for drift, newest first"
        for measure, at in owed_before(engine).items()
    ]
