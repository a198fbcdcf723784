"""Gate: may a candidate version go on? For CI/CD: pass, fail or not enough data, each with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sloengine.evaluate.cube import Cube
from sloengine.evaluate.exclusions import cuts
from sloengine.evaluate.gate import Finding, Verdict, against_control, against_objective, overall, strata_of
from sloengine.evaluate.measure import Frame, by_policy, exclude
from sloengine.evaluate.periods import RollingWindow, floor_minute
from sloengine.evaluate.plan import Matches, slices_of
from sloengine.evaluate.tally import stacked, tally
from sloengine.jobs.deps import Deps
from sloengine.jobs.evaluate import read_cube
from sloengine.model import Counts, Group, Slo
from sloengine.store.client import Row
from sloengine.times import format_duration, parse_duration, utc
from sloengine.tools.moment import as_of, judged, view_at
from sloengine.tools.outcome import (
    FOUND,
    OK,
    UNDECIDED,
    Outcome,
    Refused,
    clock,
    find_slo,
    nearest,
    number,
    refusal,
    shown,
    table,
)

LOOK = timedelta(days=30)
"""How far back a candidate is looked for where no ``--since`` is given."""
CODES = {Verdict.PASS: OK, Verdict.FAIL: FOUND, Verdict.UNDECIDED: UNDECIDED}
PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who is asked about, against whom, over which time."""

    service: str
    model: str
    version: str
    control: str | None
    since: datetime
    until: datetime


def run_gate(
    engine: Deps,
    now: datetime,
    *,
    model: str,
    version: str,
    against: str | None = None,
    service: str | None = None,
    slos: Sequence[str] = (),
    since: str | None = None,
    min_events: int | None = None,
    margin: float | None = None,
    ignore_budget: bool = False,
) -> Outcome:
    """Judge a version by its services' SLOs. Exits 0 pass, 1 fail, 3 not enough data.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        candidate = _candidate(engine, now, (service, model, version), against, since)
        asked = _asked(engine, candidate, slos)
    except Refused as error:
        return refusal(error)
    results = _judge(engine, candidate, asked, min_events, margin)
    if not ignore_budget:
        results += _frozen(engine, candidate, now)
    findings = [f for r in results for f in r["findings"]]
    verdict = overall(findings) if findings else Verdict.UNDECIDED
    found = {
        "verdict": verdict.value,
        "service": candidate.service,
        "model": model,
        "version": version,
        "against": candidate.control,
        "since": candidate.since,
        "until": candidate.until,
        "slos": [{**r, "findings": [_plain(f) for f in r["findings"]]} for r in results],
    }
    return Outcome(_text(found), found, CODES[verdict])


# --- who is asked about


def _candidate(
    engine: Deps, now: datetime, who: tuple[str | None, str, str], against: str | None, since: str | None
) -> Candidate:
    service, model, version = who
    begin = _since(since, now)
    until = floor_minute(now)
    seen = _seen(engine, model, service, until)
    mine = [r for r in seen if r["version"] == version]
    if not mine:
        raise Refused(_unheard(f"version '{version}' of {model}", version, [r["version"] for r in seen]))
    services = sorted({r["service"] for r in mine})
    if len(services) > 1:
        raise Refused(f"{model} {version} runs in {', '.join(services)}: name one with --service")
    home, first = str(services[0]), utc(mine[0]["first"])
    control = _control(against, version, first, [r for r in seen if r["service"] == home])
    return Candidate(home, model, version, control, max(begin, first), until)


def _since(since: str | None, now: datetime) -> datetime:
    if since is None:
        return floor_minute(now - LOOK)
    try:
        return floor_minute(now - parse_duration(since))
    except ValueError as error:
        raise Refused(f"--since: {error}") from None


def _seen(engine: Deps, model: str, service: str | None, until: datetime) -> list[Row]:
    """Versions of a model, by service.

    Raises:
        Refused: it has none; a mistyped name must not be judged, for its budgets would be another's.
    """
    span = {"from": until - LOOK, "until": until}
    seen = engine.store.rows("gate_versions", **{"model": model, **span})
    if not seen:
        models = [r["model"] for r in engine.store.rows("gate_models", **span)]
        raise Refused(_unheard(f"model '{model}'", model, models))
    found = [r for r in seen if service in (None, r["service"])]
    if not found:
        services = sorted({r["service"] for r in seen})
        raise Refused(f"{model} answered nothing in the service '{service}': it runs in {', '.join(services)}")
    return found


def _unheard(what: str, name: str, known: Sequence[str]) -> str:
    return f"{what} answered nothing in {format_duration(LOOK)}{nearest(name, known)}"


def _control(against: str | None, version: str, first: datetime, seen: Sequence[Row]) -> str | None:
    """The version named, or the one that answered most before the candidate came, where ``previous`` is asked for."""
    if against is None:
        return None
    if against != PREVIOUS:
        known = [r["version"] for r in seen]
        if against not in known:
            raise Refused(_unheard(f"--against: version '{against}'", against, known))
        if against == version:
            raise Refused("a version can't be compared with itself: --against another one")
        return against
    older = [r for r in seen if r["version"] != version and utc(r["first"]) < first]
    if not older:
        others = ", ".join(r["version"] for r in seen if r["version"] != version)
        instead = f", or name another: {others}" if others else ""
        raise Refused(
            f"no version came before {version}: leave --against out, to judge it by its objectives alone{instead}"
        )
    best = max(older, key=lambda r: (r["events"], r["version"]))
    return str(best["version"])


def _asked(engine: Deps, candidate: Candidate, names: Sequence[str]) -> list[Slo]:
    mine = [slo for slo in engine.catalogue.slos if slo.service == candidate.service and not slo.components]
    if names:
        return [as_of(find_slo(mine, name), candidate.until) for name in names]
    if not mine:
        raise Refused(f"no SLO is about the service '{candidate.service}'")
    return [as_of(slo, candidate.until) for slo in mine]


# --- its own SLOs and the control


@dataclass(frozen=True, slots=True)
class _Case:
    """What every SLO is judged from."""

    engine: Deps
    candidate: Candidate
    frame: Frame
    cube: Cube
    min_events: int | None
    margin: float | None


def _judge(
    engine: Deps, candidate: Candidate, slos: Sequence[Slo], min_events: int | None, margin: float | None
) -> list[dict[str, Any]]:
    if candidate.since >= candidate.until:
        nothing = Finding(Verdict.UNDECIDED, f"{candidate.model} {candidate.version} has answered nothing yet")
        return [{"slo": slo.name, "findings": [nothing]} for slo in slos]
    exclusions = engine.catalogue.exclusions
    own = replace(engine, catalogue=replace(engine.catalogue, slos=tuple(slos)), matches=Matches())
    window = RollingWindow(candidate.until - candidate.since)
    frame = Frame(tuple(cuts([window], exclusions, (), candidate.until)))
    case = _Case(own, candidate, frame, exclude(read_cube(own, frame), exclusions, frame), min_events, margin)
    return [_of_slo(case, slo) for slo in slos]


def _of_slo(case: _Case, slo: Slo) -> dict[str, Any]:
    by_version = _regions(case, slo)
    if not any(by_version):
        return {"slo": slo.name, "findings": [], "skipped": "what it counts is not told apart by model version"}
    mine = by_version.get(case.candidate.version, {})
    total = sum(mine.values(), Counts())
    room = case.margin if case.margin is not None else 1 - slo.target
    findings = [_enough(total, case.min_events) or against_objective(total, 1 - slo.target, room)]
    if case.candidate.control is not None:
        findings.append(against_control(strata_of(mine, by_version.get(case.candidate.control, {})), room))
    return {
        "slo": slo.name,
        "target": slo.target,
        "events": total.valid,
        "sampled": total.sampled,
        "findings": findings,
    }


def _enough(total: Counts, min_events: int | None) -> Finding | None:
    if min_events is None or total.valid >= min_events:
        return None
    return Finding(Verdict.UNDECIDED, f"{number(total.valid)} valid events, {number(min_events)} are asked for")


def _regions(case: _Case, slo: Slo) -> dict[str, dict[str, Counts]]:
    """Counts by version and region of the candidate's model; the minute that has just begun belongs to neither."""
    row = case.frame.bands(case.candidate.since, case.candidate.until)[None]
    found: dict[str, dict[str, Counts]] = {}
    slices = slices_of(slo, case.cube, ("model", "version", "region"))
    tallied = by_policy((slo,) * len(slices), tally(case.cube, stacked(slices), row))
    for slice_, counts in zip(slices, tallied.column(0), strict=True):
        model, version, region = (value for _, value in slice_.group)
        if version == "" or model == case.candidate.model:
            found.setdefault(version, {})[region] = counts
    return {version: {r: c for r, c in regions.items() if c.valid} for version, regions in found.items()}


# --- frozen budgets


def _frozen(engine: Deps, candidate: Candidate, now: datetime) -> list[dict[str, Any]]:
    """Each SLO of the service whose budget is gone, in any slice that the candidate may be rolled out to."""
    slos = [s for s in engine.catalogue.slos if s.service == candidate.service and not s.components]
    view = view_at(engine, slos, now)
    out = []
    for slo in slos:
        gone = [
            (s.group, s.budget_remaining)
            for s in judged(view, slo)[1]
            if s.budget_remaining is not None and s.budget_remaining <= 0 and _concerns(s.group, candidate)
        ]
        if gone:
            listed = "; ".join(f"{shown(group)} {left:.0%}" for group, left in gone[:5])
            more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
            reason = f"the budget is gone, releases are frozen: {listed}{more} (--ignore-budget goes on)"
            out.append({"slo": slo.name, "findings": [Finding(Verdict.FAIL, reason)]})
    return out


def _concerns(group: Group, candidate: Candidate) -> bool:
    return dict(group).get("model", candidate.model) == candidate.model


# --- what comes out


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "ratio": finding.ratio,
        "low": finding.low,
        "high": finding.high,
    }


def _text(found: dict[str, Any]) -> str:
    against = f" against {found['against']}" if found["against"] else ""
    head = f"{found['verdict'].upper()}   {found['service']}: {found['model']} {found['version']}{against}"
    span = f"  {clock(found['since'])} to {clock(found['until'])} UTC"
    rows = [(r["slo"], f["verdict"], f["reason"]) for r in found["slos"] for f in r["findings"]]
    skipped = [f"  {r['slo']} is left out: {r['skipped']}" for r in found["slos"] if r.get("skipped")]
    body = table(("slo", "verdict", "reason"), rows) if rows else "  no SLO says anything about this version"
    return "\n".join([head, span, body, *skipped])
