"""What stands behind a slice's budget: causes, time taken out of it, and what was counted anew after the fact. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sloengine.evaluate.attribution import Attribution
from sloengine.evaluate.cube import Key, Share, matches, share_of
from sloengine.evaluate.exclusions import MINUTE, concern, occurrences
from sloengine.evaluate.measure import under_policy
from sloengine.evaluate.periods import Interval
from sloengine.evaluate.quantiles import Quantiles
from sloengine.model import DETAIL, DIMENSIONS, Counts, Exclusion, Group, Slo, Status, Unknown, Weighting

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Restatement:
    """Minutes of one hour that were counted anew more than ten minutes after they had passed, for one cause."""

    hour: datetime
    cause: str
    minutes: int
    """Minutes of bucket keys: one minute of two regions is two."""
    before: Counts
    """What they held as it was known before."""
    after: Counts
    first: datetime
    newest: datetime
    """When it was first, and last, counted anew."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """What one exclusion takes out of a window."""

    name: str
    reason: str
    spans: tuple[Interval, ...]

    @property
    def minutes(self) -> int:
        return sum((end - start) // MINUTE for start, end in self.spans)


@dataclass(frozen=True, slots=True)
class Known:
    """A window's figures without what came after the fact: as they were first known, beside the corrected ones."""

    counts: Counts
    sli: float | None
    budget_remaining: float | None


@dataclass(frozen=True, slots=True)
class Account:
    """Of one slice, beside its status."""

    attribution: Attribution | None = None
    """None: nothing was counted in these hours, or the SLO is a composite."""
    excluded: tuple[Excluded, ...] = ()
    restated: tuple[Restatement, ...] = ()
    """Newest hour first."""
    known: Known | None = None
    """None: nothing was restated, or the figures can't be taken apart (nodes and sites are no events)."""
    blind: str = ""
    """Why restatements can't be told for exactly this slice; empty where they can."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Of every slice of one SLO, at one moment."""

    slo: Slo
    at: datetime
    by_group: Mapping[Group, Account] = field(default_factory=dict)
    quantiles: tuple[Quantiles, ...] = ()
    """How far values are from their limit, of all slices; only where a page asks for it."""
    unknown_quantiles: str = ""
    """Why there are none, or not all; empty when all is well."""

    def of(self, group: Group) -> Account:
        return self.by_group.get(group, Account())


def accounts(
    statuses: Iterable[Status],
    attributions: Mapping[Group, Attribution],
    restated: Iterable[Mapping[str, Any]],
    exclusions: Sequence[Exclusion],
) -> dict[Group, Account]:
    """``restated``: rows of ``restated_slices.sql``, times aware."""
    listed = list(statuses)
    if not listed:
        return {}
    by_place = restatements(listed[0].slo, restated, exclusions)
    return {status.group: _account(status, attributions, by_place, exclusions) for status in listed}


def _account(
    status: Status,
    attributions: Mapping[Group, Attribution],
    by_place: Mapping[Group, Sequence[Restatement]],
    exclusions: Sequence[Exclusion],
) -> Account:
    mine = tuple(by_place.get(_place(status.group), ())) if not status.folded else ()
    start = status.window_start
    out = excluded_from(exclusions, status.slo, status.group, (start, status.at + MINUTE)) if start else ()
    blind = blind_spot(status.slo, folded=bool(status.folded))
    return Account(attributions.get(status.group), out, mine, None if blind else known_of(status, mine), blind)


# --- exclusions


def concerning(exclusions: Iterable[Exclusion], slo: Slo, group: Group) -> list[Exclusion]:
    """Exclusions that may take something out of a slice: none of their matchers speaks against it."""
    held = {"service": slo.service, **dict(group)}
    return [e for e in exclusions if all(matches(m, held[m.name]) for m in e.where if m.name in held)]


def excluded_from(exclusions: Iterable[Exclusion], slo: Slo, group: Group, span: Interval) -> tuple[Excluded, ...]:
    """What exclusions that may concern a slice take out of a span; those that take out nothing are left away."""
    found = []
    for exclusion in concerning(exclusions, slo, group):
        spans = occurrences(exclusion, *span)
        if spans:
            found.append(Excluded(exclusion.name, exclusion.reason, tuple(spans)))
    return tuple(found)


def with_excluded(status: Status) -> Counts | None:
    """The window's counts with what was excluded from it. None where nothing was, and where nodes or sites are what is counted:
    what is excluded is counted in events."""
    out = status.excluded
    if not _in_events(status.slo) or not (out.valid or out.unknown):
        return None
    return status.counts + out


def _in_events(slo: Slo) -> bool:
    return slo.weighting is Weighting.EVENTS and slo.quantifier is None


# --- restatements


def blind_spot(slo: Slo, *, folded: bool = False) -> str:
    """Why restatements can't be told for exactly the slice; empty where they can. They are kept without detail of nodes."""
    if folded:
        return "slices that the cardinality budget folded together are not told apart"
    names = {*slo.by, *(m.name for m in slo.where), *(m.name for s in slo.sli.selectors for m in s.where)}
    detail = sorted(names & set(DETAIL))
    return f"restatements are kept without {' and '.join(detail)}: these are of all of them" if detail else ""


def restatements(
    slo: Slo, rows: Iterable[Mapping[str, Any]], exclusions: Sequence[Exclusion] = ()
) -> dict[Group, tuple[Restatement, ...]]:
    """What was counted anew of each slice, by hour and cause, newest hour first; keys are slices without their detail of nodes.

    Rows in which nothing that the SLO counts changed are left out, and hours that an exclusion touches: they don't count.
    """
    bare = _without_detail(slo)
    shares: dict[Key, Share | None] = {}
    found: dict[tuple[Group, datetime, str], Restatement] = {}
    for row in rows:
        key = _key(row)
        share = shares[key] if key in shares else shares.setdefault(key, share_of(bare, key))
        if share is None or _touched(exclusions, key, row["Hour"]):
            continue
        group = tuple((name, key.get(name)) for name in bare.by)
        one = _restatement(slo, row, share)
        place = (group, one.hour, one.cause)
        found[place] = _joined(found[place], one) if place in found else one
    out: dict[Group, list[Restatement]] = {}
    for (group, _, _), one in found.items():
        if one.before != one.after:
            out.setdefault(group, []).append(one)
    return {group: tuple(sorted(listed, key=lambda r: (-r.hour.timestamp(), r.cause))) for group, listed in out.items()}


def _key(row: Mapping[str, Any]) -> Key:
    return Key(row["Measure"], tuple(row.get(name, "") for name in DIMENSIONS), row["Attributes"])


def _place(group: Group) -> Group:
    return tuple(pair for pair in group if pair[0] not in DETAIL)


def _without_detail(slo: Slo) -> Slo:
    def kept(selectors: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(replace(s, where=tuple(m for m in s.where if m.name not in DETAIL)) for s in selectors)

    sli = replace(slo.sli, good=kept(slo.sli.good), bad=kept(slo.sli.bad), total=kept(slo.sli.total))
    where = tuple(m for m in slo.where if m.name not in DETAIL)
    return replace(slo, sli=sli, where=where, by=tuple(name for name in slo.by if name not in DETAIL))


def _touched(exclusions: Iterable[Exclusion], key: Key, hour: datetime) -> bool:
    return any(concern(exclusion)(key) and occurrences(exclusion, hour, hour + HOUR) for exclusion in exclusions)


def _restatement(slo: Slo, row: Mapping[str, Any], share: Share) -> Restatement:
    before, after = (_counts(slo.unknown, share, row[name]) for name in ("Before", "After"))
    return Restatement(row["Hour"], row["Cause"], int(row["Minutes"]), before, after, row["First"], row["Newest"])


def _counts(policy: Unknown, share: Share, events: float) -> Counts:
    return under_policy(policy, Counts(share.good * events, share.bad * events, share.unknown * events))


def _joined(a: Restatement, b: Restatement) -> Restatement:
    return Restatement(
        a.hour,
        a.cause,
        a.minutes + b.minutes,
        a.before + b.before,
        a.after + b.after,
        min(a.first, b.first),
        max(a.newest, b.newest),
    )


def known_of(status: Status, restated: Sequence[Restatement]) -> Known | None:
    """The window less all that was restated in it: changes add up, so what is left is what was known within ten minutes.

    Hours that lie in the window as a whole: the one in which it begins is left as corrected.
    """
    start = status.window_start
    if not _in_events(status.slo) or start is None:
        return None
    mine = [r for r in restated if r.hour >= start]
    if not mine:
        return None
    good = status.counts.good - sum(r.after.good - r.before.good for r in mine)
    bad = status.counts.bad - sum(r.after.bad - r.before.bad for r in mine)
    unknown = status.counts.unknown - sum(r.after.unknown - r.before.unknown for r in mine)
    # Sums of weights in steps of 1/1024 may end a hair below nothing.
    counts = Counts(max(0.0, good), max(0.0, bad), max(0.0, unknown))
    return Known(counts, *_figures(status, counts))


def _figures(status: Status, counts: Counts) -> tuple[float | None, float | None]:
    if not counts.valid:
        return None, None
    ratio, budget = counts.bad / counts.valid, status.budget
    if status.slo.zero_tolerance or not budget or not budget.allowed:
        return 1 - ratio, None
    # Of an objective that changed, the mean of what its parts allow.
    return 1 - ratio, 1 - ratio / (budget.allowed / status.counts.valid)


@dataclass(frozen=True, slots=True)
class Standing:
    """An SLO's accounts as far as they could be worked out, for those who can't wait."""

    accounts: Accounts | None
    problem: str = ""
    """Why there is none, or only an older one; empty when all is well."""
