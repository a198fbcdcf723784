"""Drift run: one look of a drift monitor, at once, told and stored; nobody is alerted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sloengine.evaluate.drift.causes import Finding
from sloengine.evaluate.drift.judge import Verdict
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift import SETTLE, keep_baseline, window_before
from sloengine.jobs.drift_alerts import findings_of, name_of
from sloengine.jobs.drift_look import Look, look, write
from sloengine.monitor import DriftMonitor
from sloengine.times import format_duration, unix_ms
from sloengine.tools.outcome import FOUND, Outcome, Refused, clock, moment_of, nearest, number, refusal, table

Progress = Callable[[int, int], None]
MEMBERS = 5
WORDS = {
    Verdict.DRIFT: "drift",
    Verdict.SUSPECTED: "found, but not in enough windows yet",
    Verdict.SLOW_DRIFT: "small but lasting",
    Verdict.NO_DRIFT: "no drift",
    Verdict.NOT_ENOUGH_DATA: "too few events to tell",
    Verdict.STALE: "nothing came",
    Verdict.NO_BASELINE: "no baseline",
    Verdict.REFUSED: "counted in other bins",
    Verdict.IMPLAUSIBLE: "impossibly many events",
}


def find_monitor(monitors: Sequence[DriftMonitor], name: str) -> DriftMonitor:
    """
    Raises:
        Refused: there is none of this name; the message holds the nearest.
    """
    for monitor in monitors:
        if monitor.name == name:
            return monitor
    if not monitors:
        raise Refused("the catalogue has no DriftMonitor; docs/drift.md shows one")
    raise Refused(f"no drift monitor is called '{name}'{nearest(name, [m.name for m in monitors])}")


def run_drift(
    engine: Deps, name: str, now: datetime, *, at: str | None = None, progress: Progress | None = None
) -> Outcome:
    """Look at the window that last ended before ``at`` or now.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        monitor = find_monitor(engine.catalogue.monitors, name)
        moment = moment_of(at, now) if at else now
        found = _look(engine, monitor, moment, now, progress or (lambda done, of: None))
    except Refused as error:
        return refusal(error)
    write(engine.store, found, unix_ms(now))
    findings = findings_of(engine, found)
    return Outcome(_text(found, findings), _plain(found, findings), FOUND if findings else 0)


def _look(engine: Deps, monitor: DriftMonitor, moment: datetime, now: datetime, progress: Progress) -> Look:
    end = window_before(moment - SETTLE, monitor)
    found = look(engine.store, monitor, end)
    if found is None:
        version = keep_baseline(engine, monitor, now, progress)
        found = look(engine.store, monitor, end)
        if found is None:
            doubts = f": {version.doubts}" if version and version.doubts else ""
            raise Refused(
                f"{monitor.name} has no baseline{doubts}; one is made as soon as a day of '{monitor.metric}' of"
                f" '{monitor.service}' is known, or pinned by 'sloengine drift baseline pin'"
            )
    return found


def _text(found: Look, findings: Sequence[Finding]) -> str:
    monitor = found.monitor
    doubts = f" ({found.version.doubts})" if found.version.doubts else ""
    held = f"against {monitor.against.value}, version {found.version.number}, {found.version.quality}{doubts}"
    lines = [
        f"{monitor.name}: {format_duration(monitor.window)} until {clock(found.end)}, {held}",
        table(("series", "verdict"), [(found.count(v), word) for v, word in WORDS.items() if found.count(v)]),
    ]
    lines += [_finding(monitor, finding) for finding in findings]
    return "\n".join(lines if findings else [*lines, "nothing drifts"])


def _finding(monitor: DriftMonitor, finding: Finding) -> str:
    names = {
        "model": finding.model,
        "version": ", ".join(finding.versions),
        "region": finding.region or "",
        "device": finding.device or "",
        **dict(finding.segments),
    }
    where = ", ".join(f"{name} {value}" for name, value in names.items() if value)
    of = f", {finding.exceeding} of {finding.told} parts that could be told" if finding.told else ""
    rows = [(f"{s.effect:.3g}", f"{s.p:.2g}", number(s.n), name_of(s)) for s in finding.members[:MEMBERS]]
    more = len(finding.members) - len(rows)
    lines = [f"DRIFT of {where}{of}", table((monitor.index, "p", "events", "series"), rows)]
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


def _plain(found: Look, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "monitor": found.monitor.name,
        "window_end": found.end,
        "window_s": found.monitor.window.total_seconds(),
        "baseline": {"version": found.version.number, "quality": found.version.quality, "doubts": found.version.doubts},
        "series": {v.name.lower(): found.count(v) for v in Verdict},
        "findings": [
            {
                "kind": f.level,
                "model": f.model,
                "versions": list(f.versions),
                "region": f.region,
                "device": f.device,
                "segments": dict(f.segments),
                "told": f.told,
                "exceeding": f.exceeding,
                "members": [{"series": name_of(s), "effect": s.effect, "p": s.p, "events": s.n} for s in f.members],
            }
            for f in findings
        ],
    }
