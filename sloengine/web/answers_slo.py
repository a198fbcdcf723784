"""What the API answers about one SLO: each slice with what stands behind its budget. Typed for OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sloengine.evaluate.account import Account, Restatement, Standing, with_excluded
from sloengine.evaluate.attribution import Attribution, Purse, purses
from sloengine.evaluate.evidence import Cause
from sloengine.model import Counts, Slo, Snapshot, Status
from sloengine.web.answers import Answer, SloSlice, Tally, slice_of, tally_of, tick_age_s


class Part(Answer):
    allowed: float
    spent: float
    left: float


class Budget(Answer):
    ratio: Part
    """Of valid events."""
    events: Part
    time_s: Part
    """Time in which everything may fail, at the window's average traffic."""
    exhausts_in_s: float | None
    """At the present burn; 0 spent, null if it outlasts the window."""


class CauseSpent(Answer):
    cause: Cause
    bad: float
    share: float | None
    """Of the budget; null where the budget is not counted in events."""
    hours: list[datetime]
    evidence: str
    looked_at: list[str]
    """Empty: not measured, which is another answer than nothing found."""


class Share(Answer):
    share: float
    """Of the whole budget."""
    spent: float
    left: float | None
    """Share of this part that is left; null of a part of nothing."""


class SpentBy(Answer):
    since: datetime
    until: datetime
    bad: float
    allowed: float | None
    causes: list[CauseSpent]
    """In the order of how specific they are; the parts add up to ``bad``."""
    rollouts: Share | None
    """The part of the budget set aside for rollouts; null without one."""
    everything_else: Share | None


class Exclusion(Answer):
    name: str
    reason: str
    minutes: int


class Excluded(Answer):
    counts: Tally
    sli_with_it: float | None
    by: list[Exclusion]


class Restated(Answer):
    hour: datetime
    cause: str
    minutes: int
    before: Tally
    after: Tally
    first: datetime
    newest: datetime


class AsKnown(Answer):
    counts: Tally
    sli: float | None
    budget_remaining: float | None


class Unit(Tally):
    name: str


class Component(Answer):
    slo: str
    weight: float
    burn: float | None


class SloDetail(SloSlice):
    window_start: datetime | None
    window_end: datetime | None
    budget: Budget | None
    spent_by: SpentBy | None
    """Null where it is not known: ``problem`` says why, or the SLO is a composite."""
    excluded: Excluded
    restated: list[Restated]
    """Hours that were counted anew more than ten minutes after the fact, newest first."""
    restated_note: str
    """Why these are not of exactly this slice; empty where they are."""
    as_known: AsKnown | None
    """The window as it was first known; ``counts`` and ``sli`` are as corrected."""
    units: list[Unit]
    """Nodes or sites, worst first, where the SLO weighs or quantifies over them."""
    components: list[Component]


class SloAnswer(Answer):
    at: datetime | None
    tick_age_s: float | None
    accounted_at: datetime | None
    """When causes and restatements were worked out: not with each request."""
    problem: str
    """Why causes and restatements are missing or older; empty when all is well."""
    slices: list[SloDetail]


class Missing(Answer):
    detail: str


def slo_answer(snapshot: Snapshot, standing: Standing, statuses: Sequence[Status], now: datetime) -> SloAnswer:
    found = standing.accounts
    return SloAnswer(
        at=snapshot.at,
        tick_age_s=tick_age_s(snapshot, now),
        accounted_at=found.at if found else None,
        problem=standing.problem,
        slices=[_detail(s, found.of(s.group) if found else Account()) for s in statuses],
    )


def _detail(status: Status, account: Account) -> SloDetail:
    known, out = account.known, status.excluded
    whole = with_excluded(status)
    return SloDetail(
        **slice_of(status).model_dump(),
        window_start=status.window_start,
        window_end=status.window_end,
        budget=_budget(status),
        spent_by=_spent_by(status.slo, account.attribution) if account.attribution else None,
        excluded=Excluded(
            counts=tally_of(out),
            sli_with_it=whole.good / whole.valid if whole and whole.valid else None,
            by=[Exclusion(name=e.name, reason=e.reason, minutes=e.minutes) for e in account.excluded],
        ),
        restated=[_restated(r) for r in account.restated],
        restated_note=account.blind,
        as_known=AsKnown(counts=tally_of(known.counts), sli=known.sli, budget_remaining=known.budget_remaining)
        if known
        else None,
        units=[_unit(name, counts) for name, counts in status.units],
        components=[Component(slo=n, weight=w, burn=b) for n, w, b in status.components],
    )


def _budget(status: Status) -> Budget | None:
    budget, valid = status.budget, status.counts.valid
    if budget is None or not valid or status.window_start is None or status.window_end is None:
        return None
    length = (status.window_end - status.window_start).total_seconds()
    allowed, spent = budget.allowed / valid, budget.spent / valid
    return Budget(
        ratio=_part(allowed, spent),
        events=_part(budget.allowed, budget.spent),
        time_s=_part(allowed * length, spent * length),
        exhausts_in_s=None if budget.exhausts_in is None else budget.exhausts_in.total_seconds(),
    )


def _part(allowed: float, spent: float) -> Part:
    return Part(allowed=allowed, spent=spent, left=allowed - spent)


def _spent_by(slo: Slo, found: Attribution) -> SpentBy:
    pair = purses(slo, found) if slo.reserve else None
    spent = {p.cause: p for p in found.parts}
    causes = [
        CauseSpent(
            cause=cause,
            bad=part.bad if part else 0.0,
            share=part.share if part else (0.0 if found.allowed else None),
            hours=list(part.hours) if part and cause is not Cause.UNEXPLAINED else [],
            evidence=part.evidence if part else "",
            looked_at=list(found.measured.get(cause, ())),
        )
        for cause in Cause
        for part in [spent.get(cause)]
    ]
    return SpentBy(
        since=found.since,
        until=found.until,
        bad=found.bad,
        allowed=found.allowed,
        causes=causes,
        rollouts=_share(pair[0]) if pair else None,
        everything_else=_share(pair[1]) if pair else None,
    )


def _share(purse: Purse) -> Share:
    # JSON knows no infinity.
    return Share(share=purse.share, spent=purse.spent, left=purse.left if purse.share else None)


def _restated(r: Restatement) -> Restated:
    return Restated(
        hour=r.hour,
        cause=r.cause,
        minutes=r.minutes,
        before=tally_of(r.before),
        after=tally_of(r.after),
        first=r.first,
        newest=r.newest,
    )


def _unit(name: str, counts: Counts) -> Unit:
    return Unit(name=name, **tally_of(counts).model_dump())
