"""Drift baseline: list the versions of a monitor's baselines, pin one by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sloengine.jobs.deps import Deps
from sloengine.jobs.drift import window_before
from sloengine.jobs.drift_baselines import REFUSED, Made, make
from sloengine.monitor import Against
from sloengine.times import utc
from sloengine.tools.drift_run import find_monitor
from sloengine.tools.outcome import FOUND, Outcome, Refused, clock, moment_of, number, refusal, table

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Pin:
    """What a person or a registry says of a baseline: never changed afterwards, only followed by a newer one."""

    name: str
    begin: str
    end: str
    author: str
    reason: str


def list_baselines(engine: Deps, name: str) -> Outcome:
    """Every version, the newest first.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        monitor = find_monitor(engine.catalogue.monitors, name)
    except Refused as error:
        return refusal(error)
    rows = [_plain(row) for row in engine.store.rows("drift_baselines", monitor=monitor.name)]
    return Outcome(_text(monitor.name, rows), {"monitor": monitor.name, "baselines": rows})


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": row["Version"],
        "name": row["Name"],
        "kind": row["Kind"],
        "begin": utc(row["Begin"]),
        "end": utc(row["End"]),
        "series": row["Series"],
        "events": row["Events"],
        "quality": row["Quality"],
        "doubts": row["Doubts"],
        "author": row["Author"],
        "reason": row["Reason"],
        "checksum": row["Checksum"],
    }


def _text(monitor: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"{monitor} has no baseline yet"
    head = ("version", "kind", "name", "from", "to", "series", "events", "quality", "by", "why")
    listed = [_cells(r) for r in rows]
    return table(head, listed)


def _cells(r: dict[str, Any]) -> tuple[str, ...]:
    span, size = (clock(r["begin"]), clock(r["end"])), (number(r["series"]), number(r["events"]))
    why = r["doubts"] or r["reason"] or "-"
    return (str(r["version"]), r["kind"], r["name"] or "-", *span, *size, r["quality"], r["author"] or "-", why)


def pin_baseline(
    engine: Deps, monitor_name: str, pin: Pin, now: datetime, progress: Progress = lambda done, of: None
) -> Outcome:
    """Keep a span of telemetry as a named baseline; exit code 1 if it is none.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        monitor = find_monitor(engine.catalogue.monitors, monitor_name)
        span = (window_before(moment_of(pin.begin, now), monitor), window_before(moment_of(pin.end, now), monitor))
        if span[1] <= span[0]:
            raise Refused(f"{pin.begin} to {pin.end} holds no whole window of {monitor.name}")
        if not pin.name or not pin.author or not pin.reason:
            raise Refused("a pinned baseline has a name, an author and a reason: others must be able to ask")
    except Refused as error:
        return refusal(error)
    made = make(
        engine.store, monitor, Made(Against.PINNED.value, span, pin.name, pin.author, pin.reason), now, progress
    )
    plain = {
        "monitor": monitor.name,
        "name": pin.name,
        "version": made.number,
        "begin": span[0],
        "end": span[1],
        "quality": made.quality,
        "doubts": made.doubts,
        "series": made.series,
        "events": made.events,
        "checksum": made.checksum,
    }
    if made.quality == REFUSED:
        return Outcome(f"refused: {made.doubts}", plain, FOUND)
    hint = "" if (monitor.against, monitor.baseline) == (Against.PINNED, pin.name) else _hint(pin.name)
    doubts = f"\ndubious: {made.doubts}" if made.doubts else ""
    said = f"pinned '{pin.name}', version {made.number}: {number(made.series)} series, {number(made.events)} events"
    return Outcome(f"{said}, {clock(span[0])} to {clock(span[1])}, checksum {made.checksum[:12]}{doubts}{hint}", plain)


def _hint(name: str) -> str:
    return f"\nthe monitor does not use it: 'against: pinned' and 'baseline: {name}' in its document would"
