"""Drift: monitors' baselines are kept, each window looked at once it is whole, and again when late telemetry changed it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sloengine.errors import SloengineError, StoreUnavailable
from sloengine.evaluate.drift.judge import Verdict
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift_alerts import open_findings, transition_findings
from sloengine.jobs.drift_baselines import REFUSED, Made, Version, make, version_for
from sloengine.jobs.drift_look import Look, kinds_of, look, write
from sloengine.jobs.drift_read import Span
from sloengine.jobs.enrol import leads
from sloengine.jobs.marks import mark_name, move_marks, read_marks
from sloengine.jobs.watched import past_is_owed
from sloengine.monitor import VALIDATION, Against, DriftMonitor, Values
from sloengine.state.database import transaction
from sloengine.times import unix_ms, utc

log = logging.getLogger("sloengine.jobs")

SETTLE = timedelta(minutes=5)
"""A window is looked at this long after its end, when what usually comes a little late is there."""
RETENTION = timedelta(days=40)
"""How far back late telemetry has windows looked at again."""
PATIENCE_S = 20.0
"""Looks that are owed are made for so long, and go on at the next turn: a month of them must not keep others waiting."""
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def watch(engine: Deps, now: datetime) -> list[Look]:
    """Make the looks that are due; those that were made. A monitor that fails stops no other and is shown as a problem."""
    made: list[Look] = []
    if engine.counted_until is None:
        # Nothing is rolled up yet.
        return made
    with transaction(engine.state) as connection:
        if not leads(engine, connection, now):
            return made
    engine.drift_problems = []
    for monitor in engine.catalogue.monitors:
        try:
            made += _watch(engine, monitor, now)
        except StoreUnavailable:
            raise
        except SloengineError as error:
            log.error("drift monitor %s failed: %s", monitor.name, error)
            engine.drift_problems.append(f"{monitor.name}: {error}")
    return made


def _watch(engine: Deps, monitor: DriftMonitor, now: datetime) -> Iterator[Look]:
    keep_baseline(engine, monitor, now)
    until, newest = time.monotonic() + PATIENCE_S, _floor(now - SETTLE, monitor.window)
    for end in _due(engine, monitor, now):
        found = look(engine.store, monitor, end)
        if found is not None:
            write(engine.store, found, unix_ms(now))
            # What is known late changes what is written and not what was said: alerts decide on data as known then.
            if end == newest:
                transition_findings(engine, found, now)
            _say(found)
            yield found
        move_marks(engine, {_marks(monitor)[0]: end})
        if time.monotonic() > until:
            return


def _say(found: Look) -> None:
    drift, slow = found.count(Verdict.DRIFT), found.count(Verdict.SLOW_DRIFT)
    if drift or slow:
        log.info("drift monitor %s until %s: %d series drift, %d slowly", found.monitor.name, found.end, drift, slow)


def _due(engine: Deps, monitor: DriftMonitor, now: datetime) -> Iterator[datetime]:
    """Ends of windows that are new or were touched, the oldest first."""
    begin = _begin(engine, monitor)
    if begin is None:
        return
    (mark, seen), marks = _marks(monitor), read_marks(engine, "drift")
    done = max(marks.get(mark, begin), begin)
    touched = _touched(engine, monitor, marks.get(seen, EPOCH), now)
    start = min(done, max(begin, _floor(touched.since, monitor.window))) if touched.since else done
    # Both at once: what was touched is owed from here on, wherever this turn ends.
    move_marks(engine, {mark: start, seen: touched.newest})
    end, last = start + monitor.window, _last(engine, monitor, now)
    while end <= last:
        yield end
        end += monitor.window


def _last(engine: Deps, monitor: DriftMonitor, now: datetime) -> datetime:
    """End of the newest window that can be looked at: what is not rolled up yet can't."""
    return _floor(min(now, engine.counted_until or EPOCH) - SETTLE, monitor.window)


def _marks(monitor: DriftMonitor) -> tuple[str, str]:
    """How far the looks have come, and up to which revision of the hours they have seen."""
    rule = (
        monitor.metric,
        monitor.service,
        monitor.levels,
        monitor.segments,
        monitor.window,
        monitor.against,
        monitor.baseline,
    )
    return mark_name("drift", monitor.name, "until", rule), mark_name("drift", monitor.name, "seen", rule)


@dataclass(frozen=True, slots=True)
class _Touched:
    since: datetime | None
    newest: datetime
    """Revisions are milliseconds of when they were written."""


def _touched(engine: Deps, monitor: DriftMonitor, seen: datetime, now: datetime) -> _Touched:
    asked = {**_asked(monitor), "oldest": now - RETENTION, "revision": unix_ms(seen)}
    row = engine.store.rows("drift_touched", **asked)[0]
    if not row["Found"]:
        return _Touched(None, seen)
    return _Touched(utc(row["Begin"]), EPOCH + timedelta(milliseconds=row["Newest"]))


def _asked(monitor: DriftMonitor) -> dict[str, object]:
    return {"measure": monitor.metric, "service": monitor.service, "classes": monitor.values is Values.CLASSES}


def window_before(moment: datetime, monitor: DriftMonitor) -> datetime:
    """Where the last window ends that ends by then."""
    return _floor(moment, monitor.window)


def _floor(moment: datetime, window: timedelta) -> datetime:
    return moment - (moment - EPOCH) % window


def _begin(engine: Deps, monitor: DriftMonitor) -> datetime | None:
    """Where looks begin: at the end of the oldest baseline, for before it nothing is known to be normal; None: there is none."""
    asked = {"kinds": list(kinds_of(monitor)), "called": monitor.baseline}
    rows = engine.store.rows("drift_baseline_first", monitor=monitor.name, **asked)
    return _floor(utc(rows[0]["End"]) + monitor.window - timedelta(microseconds=1), monitor.window) if rows else None


# --- baselines


def keep_baseline(
    engine: Deps, monitor: DriftMonitor, now: datetime, progress: Callable[[int, int], None] = lambda done, of: None
) -> Version | None:
    """Make the baseline that is due, if one is: the first as soon as a day is known, then one each midnight.

    While a finding of the monitor is open, or looks are owed, it is not renewed: drift must not become what is normal.
    """
    if past_is_owed(engine, monitor.metric) or (
        monitor.against is Against.PINNED and not _validated(engine, monitor, now)
    ):
        return None
    made = _previous(engine, monitor, now) if monitor.against is Against.PREVIOUS else _trailing(engine, monitor, now)
    if made is None:
        return None
    version = make(engine.store, monitor, made, now, progress)
    if version.quality == REFUSED:
        log.info("drift monitor %s: no baseline of %s to %s: %s", monitor.name, *made.span, version.doubts)
    return version


def _validated(engine: Deps, monitor: DriftMonitor, now: datetime) -> bool:
    """Whether it is held against a validation set, and needs to know how much hours vary besides."""
    version = version_for(engine.store, monitor, kinds_of(monitor), now)
    return version is not None and version.kind == VALIDATION


def _trailing(engine: Deps, monitor: DriftMonitor, now: datetime) -> Made | None:
    oldest, midnight = now - monitor.trailing - 2 * DAY, _floor(now - SETTLE, DAY)
    last, waits = _made(engine, monitor, Against.TRAILING, now)
    if waits or (last is not None and not _renewable(engine, monitor, last, now)):
        return None
    rows = engine.store.rows("drift_first", **_asked(monitor), oldest=oldest)
    known = [utc(row["Begin"]) for row in rows if row["Found"]]
    if not known:
        return None
    first = _floor(min(known) + monitor.window - timedelta(microseconds=1), monitor.window)
    begin, end = _trailing_span(first, midnight, monitor.trailing, new=last is None)
    if end > now - SETTLE or (last is not None and end <= last):
        return None
    return Made(Against.TRAILING.value, (begin, end), author="sloengine", reason="trailing window")


def _renewable(engine: Deps, monitor: DriftMonitor, last: datetime, now: datetime) -> bool:
    """Whether a day has begun since, all of it is looked at, and nothing drifts: of hours that no look has seen nobody knows."""
    done = read_marks(engine, "drift").get(_marks(monitor)[0], EPOCH)
    due = last < _floor(now - SETTLE, DAY)
    return due and done >= _last(engine, monitor, now) and not open_findings(engine, monitor)


def _trailing_span(first: datetime, midnight: datetime, trailing: timedelta, *, new: bool) -> Span:
    """Of which hours a baseline is made, of a metric that is known since ``first``."""
    if new and midnight - first >= 3 * DAY:
        # What drifts already when a monitor is new would be what it calls normal: its newest day is looked at first.
        return max(first, midnight - DAY - trailing), midnight - DAY
    begin = max(first, midnight - trailing)
    # A fleet that is younger than two days waits for its first whole day, not for midnight.
    return begin, midnight if midnight - begin >= DAY else begin + DAY


def _made(engine: Deps, monitor: DriftMonitor, kind: Against, now: datetime) -> tuple[datetime | None, bool]:
    """Where the last good baseline ends, and whether the next must wait: one that was refused is tried again after an hour."""
    row = engine.store.rows("drift_baseline_tried", monitor=monitor.name, kind=kind.value)[0]
    waits = bool(row["Refused"]) and now - utc(row["Tried"]) < HOUR
    return (utc(row["Last"]) if row["Found"] else None), waits


def _previous(engine: Deps, monitor: DriftMonitor, now: datetime) -> Made | None:
    """Each version's predecessor; made anew when a version is first heard of."""
    rows = engine.store.rows("drift_versions", **_asked(monitor), oldest=now - RETENTION)
    pairs = [
        ((a["ModelName"], a["ModelVersion"]), b["ModelVersion"], utc(b["First"]))
        for a, b in pairwise(rows)
        if a["ModelName"] == b["ModelName"]
    ]
    if not pairs:
        return None
    newest = max(first for _, _, first in pairs)
    last, waits = _made(engine, monitor, Against.PREVIOUS, now)
    if waits or (last is not None and last >= _floor(newest, monitor.window)):
        return None
    oldest = min(first for _, _, first in pairs if first > newest - monitor.trailing)
    stands_for = {old: new for old, new, _ in pairs}
    span = (_floor(oldest - monitor.trailing, monitor.window), _floor(newest, monitor.window))
    return Made(
        Against.PREVIOUS.value,
        span,
        author="sloengine",
        reason="a new version was first heard of",
        stands_for=stands_for,
    )
