"""Drift baseline: list the versions of a monitor's baselines, pin one by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sloengine.evaluate.drift.histogram import Unusable
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift import window_before
from sloengine.jobs.drift_baselines import REFUSED, Made, Version, make
from sloengine.jobs.drift_validated import Validated, pin
from sloengine.monitor import VALIDATION, Against, DriftMonitor
from sloengine.times import utc
from sloengine.tools.drift_compare import histogram_of, read_json
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


@dataclass(frozen=True, slots=True)
class Handed:
    """The histogram of a validation set, from a file, a pipeline or a registry."""

    name: str
    """Empty: what the monitor calls its own."""
    model: str
    version: str
    histogram: object
    """As JSON has it."""
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
    plain = _made(monitor, pin.name, made, {"begin": span[0], "end": span[1]})
    if made.quality == REFUSED:
        return Outcome(f"refused: {made.doubts}", plain, FOUND)
    hint = _hint(monitor, pin.name)
    doubts = f"\ndubious: {made.doubts}" if made.doubts else ""
    said = f"pinned '{pin.name}', version {made.number}: {number(made.series)} series, {number(made.events)} events"
    return Outcome(f"{said}, {clock(span[0])} to {clock(span[1])}, checksum {made.checksum[:12]}{doubts}{hint}", plain)


def pin_file(engine: Deps, monitor_name: str, file: Path, handed: Handed, now: datetime) -> Outcome:
    """The same with a histogram from a file; exit code 2 if it can't be read."""
    try:
        return pin_handed(engine, monitor_name, replace(handed, histogram=read_json(file)), now)
    except Unusable as error:
        return refusal(Refused(str(error)))


def pin_handed(engine: Deps, monitor_name: str, handed: Handed, now: datetime) -> Outcome:
    """Keep a validation set's histogram for a model or one of its versions; exit code 1 if it is no baseline.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        monitor = find_monitor(engine.catalogue.monitors, monitor_name)
        name = handed.name or monitor.baseline or VALIDATION
        if not handed.model or not handed.author or not handed.reason:
            raise Refused(
                "a validation set is one of a model, and has an author and a reason: others must be able to ask"
            )
        said = Validated(
            name, handed.model, handed.version, histogram_of(handed.histogram), handed.author, handed.reason
        )
        made = pin(engine.store, monitor, said, now)
    except (Refused, Unusable) as error:
        return refusal(Refused(str(error)))
    plain = _made(monitor, name, made, {"model": handed.model, "model_version": handed.version})
    if made.quality == REFUSED:
        return Outcome(f"refused: {made.doubts}", plain, FOUND)
    hint = _hint(monitor, name)
    whose = f"{handed.model} {handed.version}".strip()
    said_of = f"pinned '{name}', version {made.number}, for {whose}: {made.bins.size} bins"
    beside = f", beside {made.series - 1} other" if made.series > 1 else ""
    return Outcome(f"{said_of}{beside}, checksum {made.checksum[:12]}{hint}", plain)


def _made(monitor: DriftMonitor, name: str, made: Version, of: dict[str, Any]) -> dict[str, Any]:
    """A version for machines; ``of``: what it was made of."""
    told = {n: getattr(made, n) for n in ("quality", "doubts", "series", "events", "checksum")}
    return {"monitor": monitor.name, "name": name, **of, "version": made.number, **told}


def _hint(monitor: DriftMonitor, name: str) -> str:
    """How the monitor would use it, where it doesn't."""
    if (monitor.against, monitor.baseline) == (Against.PINNED, name):
        return ""
    return f"\nthe monitor does not use it: 'against: pinned' and 'baseline: {name}' in its document would"
