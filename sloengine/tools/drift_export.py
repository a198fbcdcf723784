"""Drift export: part of a fleet, of a span of time, as Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sloengine.jobs.deps import Deps
from sloengine.jobs.drift_export import MANIFEST, Export, ExportError, export
from sloengine.tools.drift_explain import Part
from sloengine.tools.drift_run import find_monitor
from sloengine.tools.outcome import Outcome, Refused, clock, moment_of, number, refusal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write, and where."""

    part: Part
    begin: str
    end: str
    folder: Path


def run_drift_export(engine: Deps, name: str, wanted: Wanted, now: datetime) -> Outcome:
    """Recorded predictions with the labels that are known, and the histograms of a monitor's metric.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        monitor = find_monitor(engine.catalogue.monitors, name)
        lo, hi = moment_of(wanted.begin, now), moment_of(wanted.end, now)
        if hi <= lo:
            raise Refused(f"{wanted.begin} to {wanted.end} holds no time")
        folder = wanted.folder
        if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
            raise Refused(f"{folder} is there and holds something; name a folder that is empty or not there yet")
        found = export(engine.store, Export(monitor, wanted.part.only, (lo, hi), folder), now)
    except (Refused, ExportError) as error:
        return refusal(Refused(str(error)))
    listed = "\n".join(f"  {f['name']}: {number(f['rows'])} rows, {number(f['bytes'])} bytes" for f in found["files"])
    return Outcome(
        f"{clock(lo)} to {clock(hi)} in {folder}, with {MANIFEST}\n{listed}", found | {"folder": str(folder)}
    )
