"""Budget: how much of it there is, what is left, and what spent it. For every slice of an SLO, at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sloengine.evaluate.account import Account, Restatement, with_excluded
from sloengine.evaluate.attribution import Attribution, Purse, purses
from sloengine.evaluate.composite import compose
from sloengine.evaluate.evidence import Cause
from sloengine.jobs.account import account
from sloengine.jobs.deps import Deps
from sloengine.model import Counts, Group, Slo, Status
from sloengine.tools.budget_text import render
from sloengine.tools.moment import as_of, judged, view_at
from sloengine.tools.outcome import FOUND, OK, Outcome, Refused, find_slo, group_of, moment_of, refusal, shown


@dataclass(frozen=True, slots=True)
class Asked:
    slo: Slo
    at: datetime
    statuses: Sequence[Status]


def run_budget(engine: Deps, name: str, now: datetime, *, at: str | None = None, slice_: str | None = None) -> Outcome:
    """Every slice's budget, the worst first, or those that ``slice_`` names; exit 1 if one of them is spent.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        asked = _asked(engine, name, now, at, group_of(slice_) if slice_ else None)
    except Refused as error:
        return refusal(error)
    stand = account(engine, asked.slo, asked.statuses, asked.at)
    slices = [told(status, stand.of(status.group)) for status in asked.statuses]
    found = {"slo": asked.slo.name, "at": asked.at, "corrected_at": now, "slices": slices}
    return Outcome(render(found), found, FOUND if any(s["exhausted"] for s in slices) else OK)


def _asked(engine: Deps, name: str, now: datetime, at: str | None, wanted: Group | None) -> Asked:
    moment = (moment_of(at, now) if at else now).replace(microsecond=0)
    slo = as_of(find_slo(engine.catalogue.slos, name), moment)
    statuses = _statuses(engine, slo, moment)
    if not statuses:
        raise Refused(f"{name} has no slice: nothing that it counts was ever received")
    chosen = [s for s in statuses if set(wanted or ()) <= set(s.group)]
    if not chosen:
        known = "\n".join(f"  {shown(s.group)}" for s in statuses[:20])
        raise Refused(f"no slice is {shown(wanted or ())}; there are\n{known}")
    return Asked(slo, moment, sorted(chosen, key=_worst_first))


def _worst_first(status: Status) -> tuple[float, Group]:
    left = status.budget_remaining
    return (float("inf") if left is None else left), status.group


def _statuses(engine: Deps, slo: Slo, at: datetime) -> list[Status]:
    if not slo.components:
        return judged(view_at(engine, [slo], at), slo)[1]
    names = {part.slo for part in slo.components}
    parts = [as_of(s, at) for s in engine.catalogue.slos if s.name in names]
    view = view_at(engine, parts, at)
    return compose(slo, [status for part in parts for status in judged(view, part)[1]])


# --- one slice as plain values


def told(status: Status, stand: Account) -> dict[str, Any]:
    """A slice's budget as plain values: ratios are ratios, spans are seconds, absent is None."""
    slo, left = status.slo, status.budget_remaining
    return {
        "slice": dict(status.group),
        "state": status.state.value,
        "reason": status.reason,
        "target": slo.target,
        "window": {"start": status.window_start, "end": status.window_end, "nominal_s": slo.window.total_seconds()},
        "sli": status.sli,
        "interval": status.interval,
        "sampled": status.counts.sampled,
        "effective": status.effective,
        "clustered": status.clustered,
        "coverage": status.coverage,
        "counts": _tally(status.counts),
        "exhausted": left is not None and left <= 0,
        "remaining": left,
        **_units(status),
        "excluded": _excluded(status, stand),
        **_spent(slo, stand.attribution),
        "restated": [restated(r) for r in stand.restated],
        "blind": stand.blind,
        "known": _known(stand),
        "parts": [{"slo": name, "weight": weight, "burn": burn} for name, weight, burn in status.components],
    }


def _tally(counts: Counts) -> dict[str, float]:
    return {"good": counts.good, "bad": counts.bad, "unknown": counts.unknown}


def _units(status: Status) -> dict[str, Any]:
    """The same budget as a ratio of events, as events, and as time in which everything may fail."""
    budget, valid = status.budget, status.counts.valid
    if budget is None or not valid or status.window_start is None or status.window_end is None:
        return {"ratio": None, "events": None, "time": None, "exhausts_in_s": None, "reserved": status.slo.reserve}
    length_s = (status.window_end - status.window_start).total_seconds()
    allowed, spent = budget.allowed / valid, budget.spent / valid
    return {
        "ratio": {"allowed": allowed, "spent": spent, "left": allowed - spent},
        "events": {"allowed": budget.allowed, "spent": budget.spent, "left": budget.allowed - budget.spent},
        "time": {"allowed_s": allowed * length_s, "spent_s": spent * length_s, "left_s": (allowed - spent) * length_s},
        "exhausts_in_s": None if budget.exhausts_in is None else budget.exhausts_in.total_seconds(),
        "reserved": budget.reserved,
    }


def _excluded(status: Status, stand: Account) -> dict[str, Any]:
    """What was taken out, and the SLI as it would be with it."""
    whole = with_excluded(status)
    return {
        **_tally(status.excluded),
        "sli_with_it": whole.good / whole.valid if whole and whole.valid else None,
        "by": [{"name": e.name, "reason": e.reason, "minutes": e.minutes} for e in stand.excluded],
    }


def _spent(slo: Slo, found: Attribution | None) -> dict[str, Any]:
    """Causes, the largest first, then those that spent nothing or were not looked for; and the rollouts' reserve."""
    if found is None:
        return {"spent_by": None, "reserve": None}
    return {
        "spent_by": {
            "since": found.since,
            "until": found.until,
            "bad": found.bad,
            "allowed": found.allowed,
            "causes": causes(found),
        },
        "reserve": _reserve(purses(slo, found)) if slo.reserve else None,
    }


def causes(found: Attribution) -> list[dict[str, Any]]:
    """``looked_at`` empty: not measured, which is another answer than nothing found."""
    parts = sorted(found.parts, key=lambda p: -p.bad)
    out = [
        {
            "cause": p.cause.value,
            "bad": p.bad,
            "share": p.share,
            "hours": [] if p.cause is Cause.UNEXPLAINED else list(p.hours),
            "evidence": p.evidence,
            "looked_at": list(found.measured.get(p.cause, ())),
        }
        for p in parts
    ]
    took = {p.cause for p in parts}
    empty: dict[str, Any] = {"bad": 0.0, "share": 0.0 if found.allowed else None, "hours": [], "evidence": ""}
    return out + [
        {"cause": c.value, **empty, "looked_at": list(names)} for c, names in found.measured.items() if c not in took
    ]


def _reserve(pair: tuple[Purse, Purse] | None) -> dict[str, Any] | None:
    if pair is None:
        return None
    return {name: _purse(purse) for name, purse in zip(("rollouts", "rest"), pair, strict=True)}


def _purse(purse: Purse) -> dict[str, Any]:
    # Of a part of nothing there is no share left, and JSON knows no infinity.
    return {"share": purse.share, "spent": purse.spent, "left": purse.left if purse.share else None}


def restated(r: Restatement) -> dict[str, Any]:
    return {
        "hour": r.hour,
        "cause": r.cause,
        "minutes": r.minutes,
        "before": _tally(r.before),
        "after": _tally(r.after),
        "first": r.first,
        "newest": r.newest,
    }


def _known(stand: Account) -> dict[str, Any] | None:
    if stand.known is None:
        return None
    return {**_tally(stand.known.counts), "sli": stand.known.sli, "remaining": stand.known.budget_remaining}
