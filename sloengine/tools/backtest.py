"""Backtest: when a changed catalogue, or another burn policy, would have alerted over past buckets, beside the present one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sloengine.config.catalogue import check_catalogue
from sloengine.config.policies import load_policies
from sloengine.evaluate.backtest import Alert, Replay, reach_of, replay
from sloengine.evaluate.periods import floor_minute
from sloengine.jobs.deps import Deps
from sloengine.marked import mark_of, marks_of
from sloengine.model import Catalogue, Exclusion, Group, Severity, Slo
from sloengine.rollup.folds import Fold, folds_of
from sloengine.times import format_duration, parse_duration
from sloengine.tools.as_known import as_known, told
from sloengine.tools.outcome import (
    FOUND,
    OK,
    Outcome,
    Refused,
    clock,
    find_slo,
    nearest,
    percent,
    refusal,
    shown,
    table,
    times,
)
from sloengine.tools.past import Span, read_past, slices_of

Progress = Callable[[int, int, str], None]
STEPS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Range:
    """The steps of a replay: whole minutes from ``since`` to ``until``, ``step`` apart."""

    since: datetime
    until: datetime
    step: timedelta

    @property
    def steps(self) -> list[datetime]:
        count = (self.until - self.since) // self.step
        return [self.since + n * self.step for n in range(count + 1)]


@dataclass(frozen=True, slots=True)
class Side:
    """A catalogue's version of one SLO, replayed; ``why_not`` instead of slices where that can't be done."""

    slo: Slo
    slices: dict[Group, Replay]
    why_not: str = ""


def run_backtest(
    engine: Deps,
    now: datetime,
    *,
    paths: Sequence[Path] = (),
    name: str | None = None,
    policy: str | None = None,
    since: str = "30d",
    step: str = "1m",
    progress: Progress = lambda done, total, what: None,
) -> Outcome:
    """Replay changed SLOs and the present ones over the same minutes. Exits 1 if any slice would have alerted otherwise.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        span = _range(since, step, now)
        changed = _changed(engine.catalogue, paths, policy)
        asked = [find_slo(changed.slos, name)] if name else list(changed.slos)
    except Refused as error:
        return refusal(error)
    slos = []
    for done, slo in enumerate(asked):
        progress(done, len(asked), slo.name)
        pair = _pair(engine, slo, changed.exclusions, span)
        slos.append({**_told(pair), "as_known": told(as_known(engine, slo, _reach(slo, span)))})
    progress(len(asked), len(asked), "")
    found = {"since": span.since, "until": span.until, "step_s": span.step.total_seconds(), "slos": slos}
    return Outcome(_text(found), found, FOUND if any(s["differs"] for s in slos) else OK)


# --- what is replayed


def _range(since: str, step: str, now: datetime) -> Range:
    try:
        back, each = parse_duration(since), parse_duration(step)
    except ValueError as error:
        raise Refused(str(error)) from None
    if each % timedelta(minutes=1):
        raise Refused(f"--step {step}: buckets are minutes, so a step is a whole number of them")
    if back // each > STEPS_MAX:
        raise Refused(f"{since} in steps of {step} are {back // each} steps, {STEPS_MAX} at most: take longer steps")
    until = floor_minute(now)
    return Range(until - back // each * each, until, each)


def _changed(present: Catalogue, paths: Sequence[Path], policy: str | None) -> Catalogue:
    if not paths and policy is None:
        raise Refused("nothing is changed: give the files of a changed catalogue, or --policy NAME")
    found = _read(paths) if paths else present
    if policy is None:
        return found
    known = load_policies()
    if policy not in known:
        raise Refused(f"no burn policy is called '{policy}'{nearest(policy, known)}")
    return replace(found, slos=tuple(replace(slo, policy=known[policy]) for slo in found.slos))


def _read(paths: Sequence[Path]) -> Catalogue:
    try:
        found, problems = check_catalogue(paths)
    except OSError as error:
        raise Refused(str(error)) from None
    errors = [str(p) for p in problems if p.severity == "error"]
    if errors:
        raise Refused("the changed catalogue is wrong:\n" + "\n".join(errors))
    return found


def _reach(slo: Slo, span: Range) -> Span:
    """Minutes that any step of a replay looks at."""
    return Span(floor_minute(span.since - reach_of(slo)), span.until)


def _pair(engine: Deps, slo: Slo, exclusions: Sequence[Exclusion], span: Range) -> tuple[Side, Side | None]:
    own = engine.catalogue.exclusions
    present = next((s for s in engine.catalogue.slos if s.name in (slo.name, slo.was or slo.name)), None)
    sides = [(slo, exclusions), *([(present, own)] if present else [])]
    why_not = [unknowable(one, engine.catalogue, left_out) for one, left_out in sides]
    known = [one for (one, _), why in zip(sides, why_not, strict=True) if not why]
    held = Span(floor_minute(span.since - max(map(reach_of, known), default=timedelta())), span.until)
    quiet = timedelta(seconds=engine.settings.engine.resolve_after_s)
    together = known if len({one.service for one in known}) == 1 else []
    past = read_past(engine.store, together, [*exclusions, *own], held) if together else None
    out = []
    for (one, left_out), why in zip(sides, why_not, strict=True):
        if why:
            out.append(Side(one, {}, why))
            continue
        mine = past or read_past(engine.store, [one], left_out, held)
        found = {g: replay(one, m, span.steps, resolve_after=quiet) for g, m in slices_of(one, mine, left_out)}
        out.append(Side(one, found))
    return out[0], out[1] if present else None


def unknowable(slo: Slo, present: Catalogue, exclusions: Iterable[Exclusion] = ()) -> str:
    """Why past buckets can't tell what this SLO would have measured; empty if they can."""
    if slo.components:
        return "it is composed of other SLOs: backtest " + ", ".join(c.slo for c in slo.components)
    if slo.quantifier and slo.quantifier.worst:
        return "which nodes are the worst changes from minute to minute, and is not replayed"
    if slo.sli.slices and all(other.sli.slices != slo.sli.slices for other in present.slos):
        return "its slices of time were never judged: the engine does so once the SLO is in its catalogue"
    held = folds_of(present.slos, monitors=present.monitors)
    missing = [words for fold in folds_of([slo]) for words in _missing(fold, held)]
    marks = marks_of(present.exclusions)
    for exclusion in exclusions:
        if (mark := mark_of(exclusion)) and mark not in marks:
            unknown = f"past buckets don't know what exclusion {exclusion.name} names"
            return f"{unknown}: the engine counts them again once it is in its catalogue"
    return f"needs sloengine backfill: {'; '.join(missing)}" if missing else ""


def _missing(wanted: Fold, held: Iterable[Fold]) -> Iterator[str]:
    """What the buckets of a measure don't hold, because nothing in the present catalogue asks for it."""
    fold = next((f for f in held if (f.source, f.measure) == (wanted.source, wanted.measure)), None)
    if fold is None:
        yield f"there are no buckets of {wanted.measure}"
        return
    lacking = [*(set(wanted.asked) - set(fold.asked)), *(set(wanted.detail) - set(fold.detail))]
    if lacking:
        yield f"the buckets of {wanted.measure} are not told apart by {', '.join(sorted(lacking))}"
    if cuts := sorted(set(wanted.cuts) - set(fold.cuts)):
        yield f"the buckets of {wanted.measure} are not cut at {', '.join(f'{c:g}' for c in cuts)}"


# --- what comes out


def _told(pair: tuple[Side, Side | None]) -> dict[str, Any]:
    changed, present = pair
    groups = sorted({*changed.slices, *(present.slices if present else {})})
    slices = [_slice(group, changed, present) for group in groups]
    return {
        "slo": changed.slo.name,
        "source": changed.slo.source,
        "new": present is None,
        "changed": _promise(changed),
        "present": _promise(present) if present else None,
        "slices": slices,
        "differs": any(s["differs"] for s in slices),
    }


def _promise(side: Side) -> dict[str, Any]:
    slo = side.slo
    return {
        "target": slo.target,
        "window": format_duration(slo.window),
        "by": list(slo.by),
        "policy": slo.policy.name,
        "cannot": side.why_not or None,
    }


def _slice(group: Group, changed: Side, present: Side | None) -> dict[str, Any]:
    sides = {"changed": changed.slices.get(group), "present": present.slices.get(group) if present else None}
    told = {name: _replayed(found) if found else None for name, found in sides.items()}
    alerts = {
        name: [(a.severity, a.begin, a.end) for a in found.alerts] if found else [] for name, found in sides.items()
    }
    return {"slice": dict(group), **told, "differs": alerts["changed"] != alerts["present"]}


def _replayed(found: Replay) -> dict[str, Any]:
    return {
        "good": found.good,
        "bad": found.bad,
        "spent": found.spent,
        "remaining": found.remaining,
        "least_remaining": found.least,
        "pages": sum(a.severity is Severity.PAGE for a in found.alerts),
        "tickets": sum(a.severity is Severity.TICKET for a in found.alerts),
        "paging_s": found.firing[Severity.PAGE].total_seconds(),
        "ticketing_s": found.firing[Severity.TICKET].total_seconds(),
        "alerts": [_alert(a) for a in found.alerts],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "severity": alert.severity.value,
        "begin": alert.begin,
        "end": alert.end,
        "peak_burn": alert.peak,
        "onset": alert.onset,
        "delay_s": None if alert.delay is None else alert.delay.total_seconds(),
    }


def _text(found: dict[str, Any]) -> str:
    step = format_duration(timedelta(seconds=found["step_s"]))
    head = (
        f"{clock(found['since'])} to {clock(found['until'])} UTC in steps of {step}, over the buckets as corrected now"
    )
    return "\n\n".join([head, *(_slo_text(s) for s in found["slos"])])


def _slo_text(s: dict[str, Any]) -> str:
    lines = [f"{s['slo']}   {s['source']}{'   (new)' if s['new'] else ''}"]
    for side in ("changed", "present"):
        if s[side]:
            lines.append(f"  {side:<8} {_promise_text(s[side])}")
    lines += [f"  {words}" for words in s["as_known"]["words"]]
    rows = [_row(one, side, s[side]["target"]) for one in s["slices"] for side in ("changed", "present") if one[side]]
    if rows:
        head = ("slice", "catalogue", "pages", "paging", "tickets", "ticketing", "spent", "budget left", "least")
        lines.append(table(head, rows))
    elif not s["changed"]["cannot"]:
        lines.append("  nothing that it counts is in the buckets")
    lines += [line for one in s["slices"] for line in _episodes(one)]
    return "\n".join(lines)


def _promise_text(side: dict[str, Any]) -> str:
    text = f"{percent(side['target'])} over {side['window']}, policy {side['policy']}, by {', '.join(side['by']) or 'nothing'}"
    return f"{text}\n           can't be backtested: {side['cannot']}" if side["cannot"] else text


def _row(one: dict[str, Any], side: str, target: float) -> tuple[object, ...]:
    r = one[side]
    spans = [format_duration(timedelta(seconds=r[k])) for k in ("paging_s", "ticketing_s")]
    figures: tuple[object, ...] = (percent(r["spent"], 1), percent(r["remaining"], 1), percent(r["least_remaining"], 1))
    if target == 1:
        # Where nothing bad is allowed there is no budget to have a share of.
        figures = (f"{r['bad']:g} bad", None, None)
    return (shown(one["slice"]), side, r["pages"], spans[0], r["tickets"], spans[1], *figures)


def _episodes(one: dict[str, Any]) -> Iterator[str]:
    rows = sorted(
        ((a["begin"], side, a) for side in ("changed", "present") if one[side] for a in one[side]["alerts"]),
        key=lambda r: (r[0], r[1]),
    )
    if not rows:
        return
    both = _in_both(one)
    yield f"  {shown(one['slice'])}"
    yield table(
        ("catalogue", "alert", "begin", "end", "peak burn", "after", ""),
        [
            (side, a["severity"], clock(begin), clock(a["end"]) if a["end"] else "still firing", times(a["peak_burn"]),
             "-" if a["delay_s"] is None else format_duration(timedelta(seconds=a["delay_s"])),
             "in both" if (a["severity"], begin) in both else f"only {side}")
            for begin, side, a in rows
        ],
        "    ",
    )  # fmt: skip


def _in_both(one: dict[str, Any]) -> set[tuple[str, datetime]]:
    """Alerts of one side that overlap one of the same severity on the other."""
    sides = [one[side]["alerts"] if one[side] else [] for side in ("changed", "present")]
    found = set()
    for mine, theirs in (sides, sides[::-1]):
        for a in mine:
            if any(a["severity"] == b["severity"] and _overlap(a, b) for b in theirs):
                found.add((a["severity"], a["begin"]))
    return found


def _overlap(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return (b["end"] is None or a["begin"] < b["end"]) and (a["end"] is None or b["begin"] < a["end"])
