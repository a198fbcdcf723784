"""Drift explain: one part of a fleet against its baseline: how far, which bins, which segments, what could be seen."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sloengine.errors import StoreError
from sloengine.jobs import drift_confidence
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift_baselines import version_of
from sloengine.jobs.drift_explain import MIX_WORDS, Explained, Question, explain, in_time, named
from sloengine.jobs.drift_read import Bins, Only
from sloengine.monitor import DriftMonitor
from sloengine.store.client import Row
from sloengine.times import utc
from sloengine.tools.drift_run import find_monitor
from sloengine.tools.outcome import FOUND, Outcome, Refused, clock, moment_of, number, percent, refusal, table

LOOKS = 24
DRIFTS = ("drift", "suspected", "slow_drift")


@dataclass(frozen=True, slots=True)
class Part:
    """Which series: as deep as it is named."""

    model: str = ""
    version: str = ""
    region: str = ""
    device: str = ""
    segment: str = ""
    """``attribute=value``."""

    @property
    def level(self) -> str:
        deepest = [f.name for f in fields(self) if getattr(self, f.name)]
        return deepest[-1] if deepest else ""

    @property
    def asked(self) -> dict[str, object]:
        attribute, _, value = self.segment.partition("=")
        named = {"model": self.model, "version": self.version, "region": self.region, "device": self.device}
        return {**named, "level": self.level, "segment": attribute, "value": value}

    @property
    def only(self) -> Only:
        attribute, _, value = self.segment.partition("=")
        one = {"models": self.model, "versions": self.version, "regions": self.region, "devices": self.device}
        return Only(**{name: (text,) if text else () for name, text in one.items()}, segment=attribute, value=value)


def run_drift_explain(engine: Deps, name: str, part: Part, now: datetime, *, at: str | None = None) -> Outcome:
    """The chain from hours to verdict of one series; the worst of the newest look if none is named.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        monitor = find_monitor(engine.catalogue.monitors, name)
        moment = moment_of(at, now) if at else now
        part = part if part.level else _worst(engine, monitor, moment)
        looks = _looks(engine, monitor, part, moment)
    except Refused as error:
        return refusal(error)
    last = looks[-1]
    version = version_of(engine.store, monitor, last["BaselineVersion"])
    if version is None:
        raise StoreError(f"baseline {last['BaselineVersion']} of {monitor.name} is not there any more")
    found = explain(engine.store, Question(monitor, utc(last["WindowEnd"]), version, part.only, last["Inflation"]))
    labels = _labels(engine, monitor, part, found, utc(last["WindowEnd"]))
    plain = _plain(monitor, part, looks, found, version.bins) | {"labels": drift_confidence.plain(labels)}
    text = _text(monitor, part, looks, found, version.bins)
    said = drift_confidence.in_words(labels)
    return Outcome(f"{text}\n{said}" if said else text, plain, FOUND if last["Verdict"] in DRIFTS else 0)


def _labels(engine: Deps, monitor: DriftMonitor, part: Part, found: Explained, end: datetime) -> drift_confidence.Told:
    """Since it began, or of the look's window where nothing did."""
    begin = min(found.began.at if found.began else end, end - monitor.window)
    return drift_confidence.told(engine.store, monitor, part.only, (begin, end), engine.catalogue.slos)


def _worst(engine: Deps, monitor: DriftMonitor, moment: datetime) -> Part:
    rows = engine.store.rows("drift_worst", monitor=monitor.name, end=moment)
    if not rows:
        raise Refused(f"{monitor.name} has not looked yet; 'sloengine drift run {monitor.name}' looks now")
    row = rows[0]
    segment = f"{row['Segment']}={row['Value']}" if row["Level"] == "segment" else ""
    return Part(row["ModelName"], row["ModelVersion"], row["Region"], row["DeviceId"], segment)


def _looks(engine: Deps, monitor: DriftMonitor, part: Part, moment: datetime) -> list[Row]:
    since = moment - max(LOOKS * monitor.window, timedelta(days=1))
    looks = engine.store.rows("drift_history", monitor=monitor.name, since=since, end=moment, **part.asked)
    if looks:
        return looks
    known = engine.store.rows("drift_known", monitor=monitor.name, level=part.level or "model")
    listed = "\n".join(f"  {_shown(row)}" for row in known)
    raise Refused(
        f"no look of {monitor.name} in {LOOKS} windows until {clock(moment)} speaks of {_named(part)}"
        + (f"; on that level there are\n{listed}" if listed else "")
    )


def _named(part: Part) -> str:
    return ", ".join(f"{f.name} {getattr(part, f.name)}" for f in fields(part) if getattr(part, f.name))


def _shown(row: Row) -> str:
    segment = f"{row['Segment']}={row['Value']}" if row["Segment"] else ""
    return _named(Part(row["ModelName"], row["ModelVersion"], row["Region"], row["DeviceId"], segment))


# --- what is told


def _text(monitor: DriftMonitor, part: Part, looks: list[Row], found: Explained, bins: Bins) -> str:
    last = looks[-1]
    lines = [
        f"{str(last['Verdict']).upper().replace('_', ' ')}: {_named(part)}, until {clock(utc(last['WindowEnd']))}",
        f"  {number(last['N'])} events against {number(last['M'])} of baseline {last['BaselineVersion']};"
        f" hours vary {last['Inflation']:.3g} times as much as chance would make them",
        f"  {monitor.index} beyond chance {last['Effect']:.3g} (matters from {monitor.minimum:g}),"
        f" p {last['P']:.2g}, q {last['Q']:.2g}; a PSI of {last['SmallestPsi']:.3g} would have been seen",
        table(
            ("psi", "ks", "js", "wasserstein", "hellinger"),
            [tuple(f"{last[i]:.4g}" for i in ("Psi", "Ks", "Js", "Wasserstein", "Hellinger"))],
        ),
    ]
    if found.began and last["Verdict"] in DRIFTS:
        lines.append(f"began {in_time(found.began)}")
    if found.bins:
        lines += ["bins that moved", table(("bin", "then", "now", "adds to psi"), [
            (name, percent(b.then, 2), percent(b.now, 2), f"{b.psi:.3g}") for name, b in named(found.bins, bins)
        ])]  # fmt: skip
    for strata in found.strata:
        lines += _of_mix(monitor, strata.attribute, strata.names, strata.mix)
    lines += ["the last looks", table(("until", "events", "psi", "beyond chance", "verdict"), [
        (clock(utc(r["WindowEnd"])), number(r["N"]), f"{r['Psi']:.3g}", f"{r['Effect']:.3g}", r["Verdict"]) for r in looks[-12:]
    ])]  # fmt: skip
    return "\n".join(lines)


def _of_mix(monitor: DriftMonitor, attribute: str, names: tuple[str, ...], mix: Any) -> list[str]:
    rows = [
        (names[s.at], percent(s.then, 1), percent(s.now, 1), f"{s.own.effect:.3g}", f"{s.contribution:.3g}")
        for s in mix.segments
    ]
    head = (
        f"{attribute}: {MIX_WORDS[mix.verdict]} ({monitor.index} beyond chance inside segments"
        f" {mix.inside.effect:.3g}, of their shares {mix.mix.effect:.3g})"
    )
    return [head, table((attribute, "share then", "now", f"own {monitor.index}", "adds to psi"), rows)]


def _plain(monitor: DriftMonitor, part: Part, looks: list[Row], found: Explained, bins: Bins) -> dict[str, Any]:
    began = found.began
    return {
        "monitor": monitor.name,
        "series": {f.name: getattr(part, f.name) for f in fields(part) if getattr(part, f.name)},
        "look": looks[-1],
        "looks": looks,
        "bins": [{"bin": name, "then": b.then, "now": b.now, "adds": b.psi} for name, b in named(found.bins, bins)],
        "began": {"at": began.at, "between": began.between, "before": began.before} if began else None,
        "mix": [
            {
                "attribute": strata.attribute,
                "verdict": strata.mix.verdict.value,
                "inside": strata.mix.inside.effect,
                "mix": strata.mix.mix.effect,
                "new": strata.mix.new,
                "segments": [
                    {
                        "value": strata.names[s.at],
                        "then": s.then,
                        "now": s.now,
                        "effect": s.own.effect,
                        "contribution": s.contribution,
                    }
                    for s in strata.mix.segments
                ],
            }
            for strata in found.strata
        ],
        "past": [{"until": until, "events": n, "psi": psi} for until, n, psi in found.past],
    }
