"""What the page of an SLO says of its budget: how much there is, what spent it, how fast it goes, what was corrected. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from math import floor, log10

from sloengine.evaluate.account import Account, Restatement, Standing, with_excluded
from sloengine.evaluate.attribution import Attribution, Purse, Spent, purses
from sloengine.evaluate.evidence import Cause
from sloengine.model import Counts, Severity, Slo, Status, Weighting
from sloengine.times import format_duration
from sloengine.web import figures
from sloengine.web.view import Cell, cell

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the budget: how much is allowed, spent and left, in one unit."""

    unit: str
    meaning: str
    allowed: str
    spent: str
    left: str
    over: bool


@dataclass(frozen=True, slots=True)
class CauseRow:
    cause: str
    bad: str
    share: str
    bar: float
    """0 to 100."""
    hours: str
    evidence: Cell
    spent: bool


@dataclass(frozen=True, slots=True)
class PurseRow:
    name: str
    spent: str
    share: str
    bar: float
    over: bool


@dataclass(frozen=True, slots=True)
class Burn:
    severity: str
    long: str
    short: str
    on_long: str
    on_short: str
    limit: str
    verdict: str
    exceeded: bool


@dataclass(frozen=True, slots=True)
class Restated:
    hour: datetime
    hour_text: str
    cause: Cell
    minutes: str
    before: str
    after: str
    newest: datetime
    newest_text: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Two figures of the same window: with and without something."""

    first: str
    first_sli: str
    first_events: str
    second: str
    second_sli: str
    second_events: str


# --- the budget


def budget_rows(status: Status) -> tuple[Row, ...]:
    budget, valid = status.budget, status.counts.valid
    if status.slo.zero_tolerance or budget is None or not valid or not status.window_start or not status.window_end:
        return ()
    length = (status.window_end - status.window_start).total_seconds()
    may, did = budget.allowed, budget.spent
    allowed, spent = may / valid, did / valid
    over, share = did > may, did / may if may else 0.0
    flawless = status.counts.bad == 0
    left = figures.budget(status.budget_remaining, flawless=flawless)
    in_ratio = [f"{_number(v)} %" for v in _adding(allowed * 100, spent * 100, _step(allowed * 100, digits=2))]
    in_events = [_number(v, ",") for v in _adding(may, did, _step(may, digits=3))]
    minutes = allowed * length >= HOUR_S
    in_time = [_span(v) for v in _adding(allowed * length, spent * length, Decimal(60 if minutes else 1))]
    of_budget = f"{_number(_up(share * 100, Decimal('0.1')), ',')} %"
    rows = (
        ("ratio", "of valid events", in_ratio),
        ("events", _whose(status.slo), in_events),
        ("time", "of everything failing", in_time),
        ("share", "of the budget", ["100 %", of_budget, left]),
    )
    return tuple(Row(unit, meaning, a, b, c, over) for unit, meaning, (a, b, c) in rows)


def _whose(slo: Slo) -> str:
    if slo.quantifier is not None:
        return "bad events of the worst nodes" if slo.quantifier.worst else "nodes that miss"
    return "bad events" if slo.weighting is Weighting.EVENTS else f"bad {slo.weighting.value}, in parts"


def _adding(allowed: float, spent: float, step: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Allowed, spent and left in whole steps, so that a reader's subtraction comes out: spent is rounded up, never left."""
    # What is allowed is 1 - target of all: in binary a hair beside the number that people would work out.
    whole, gone = (_exact(allowed) / step).quantize(Decimal(1)) * step, _up(spent, step)
    return whole, gone, whole - gone


def _up(value: float, step: Decimal) -> Decimal:
    return (_exact(value) / step).to_integral_value(ROUND_CEILING) * step


def _exact(value: float) -> Decimal:
    return Decimal(f"{value:.12g}")


def _step(allowed: float, digits: int) -> Decimal:
    """One hundredth of what is allowed or finer for two ``digits``, a tenth of that for three; at most one."""
    size = floor(log10(allowed)) if allowed > 0 else 0
    return Decimal(1).scaleb(min(0, size - digits))


def _number(value: Decimal, separator: str = "") -> str:
    text = f"{abs(value):{separator}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"−{text}" if value < 0 else text


def _events(value: float) -> str:
    # What is allowed is 1 - target of all: in binary a hair beside the number that people would work out.
    size = round(abs(value), 6)
    whole = size >= 100 or float(size).is_integer()
    text = f"{size:,.0f}" if whole else f"{size:,.1f}" if size >= 1 else f"{size:.2g}"
    return f"−{text}" if value < 0 else text


def _span(seconds: Decimal) -> str:
    rest, parts = int(abs(seconds)), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        parts += [f"{number}{unit}"] if number else []
    text = " ".join(parts) or "0s"
    return f"−{text}" if seconds < 0 else text


def share_text(value: float) -> str:
    return f"{value:,.1%}".replace("%", " %")


def lasts(status: Status) -> str:
    if status.slo.zero_tolerance:
        return "nothing bad is tolerated"
    if status.budget_remaining is None:
        return ""
    if status.budget_remaining <= 0:
        return "it is spent"
    if status.budget is None:
        return ""
    if status.budget.exhausts_in is None:
        return "at the present burn it outlasts the window"
    return f"{figures.age(status.budget.exhausts_in)} at the present burn"


# --- what spent it


def attributed(standing: Standing, found: Attribution | None) -> str:
    if found is None:
        return ""
    text = (
        f"{_events(found.bad)} bad events in whole hours from {found.since:%Y-%m-%d %H:%M} to {found.until:%H:%M} UTC"
    )
    return f"{text}; worked out at {standing.accounts.at:%H:%M:%S}" if standing.accounts else text


def cause_rows(found: Attribution | None) -> tuple[CauseRow, ...]:
    if found is None:
        return ()
    parts = sorted(found.parts, key=lambda p: -p.bad)
    took = {p.cause for p in parts}
    rest = [_silent(cause, names) for cause, names in found.measured.items() if cause not in took]
    return tuple([_cause(p, found.bad) for p in parts] + rest)


def _cause(part: Spent, whole: float) -> CauseRow:
    return CauseRow(
        cause=part.cause.value,
        bad=_events(part.bad),
        share=figures.NONE if part.share is None else share_text(part.share),
        bar=round(100 * part.bad / whole, 2) if whole else 0.0,
        hours=figures.NONE if part.cause is Cause.UNEXPLAINED else figures.count(len(part.hours)),
        evidence=cell(part.evidence, 300),
        spent=part.bad > 0,
    )


def _silent(cause: Cause, names: Sequence[str]) -> CauseRow:
    said = f"nothing found in {', '.join(names)}" if names else "not measured"
    nothing = "0" if names else figures.NONE
    return CauseRow(cause.value, nothing, figures.NONE, 0.0, figures.NONE, cell(said, 300), False)


def purse_rows(slo: Slo, found: Attribution | None) -> tuple[PurseRow, ...]:
    pair = purses(slo, found) if found and slo.reserve else None
    if pair is None:
        return ()
    return _purse("set aside for rollouts", pair[0]), _purse("for everything else", pair[1])


def _purse(name: str, purse: Purse) -> PurseRow:
    used = purse.spent / purse.share if purse.share else float(purse.spent > 0)
    return PurseRow(name, share_text(purse.spent), share_text(purse.share), round(100 * min(1.0, used), 2), used > 1)


# --- burn


def burn_rows(status: Status) -> tuple[Burn, ...]:
    zero = status.slo.zero_tolerance
    return tuple(
        Burn(
            severity=b.window.severity.value,
            long=format_duration(b.window.long),
            short=format_duration(b.window.short),
            on_long=_burn(b.long_burn, zero=zero),
            on_short=_burn(b.short_burn, zero=zero),
            limit=_burn(b.factor, zero=zero),
            verdict=_verdict(b.long_burn, b.window.severity, over=b.over, exceeded=b.exceeded),
            exceeded=b.exceeded,
        )
        for b in status.burns
    )


def _burn(value: float | None, *, zero: bool) -> str:
    if value is None:
        return figures.NONE
    return f"{figures.count(value)} bad" if zero else figures.multiple(value)


def _verdict(long_burn: float | None, severity: Severity, *, over: bool, exceeded: bool) -> str:
    if exceeded:
        return "pages" if severity is Severity.PAGE else "opens a ticket"
    if over:
        return "over, but by too few events to be sure"
    return "no events" if long_burn is None else "within"


# --- before and after


def excluded_pair(status: Status) -> Compared | None:
    whole = with_excluded(status)
    return None if whole is None else _compared(("counted", status.counts), ("with what is excluded", whole))


def as_known(status: Status, account: Account) -> Compared | None:
    known = account.known
    if known is None:
        return None
    found = _compared(("as first known", known.counts), ("as corrected", status.counts))
    if known.budget_remaining is None or status.slo.zero_tolerance:
        return found
    then = figures.budget(known.budget_remaining, flawless=known.counts.bad == 0)
    now = figures.budget(status.budget_remaining, flawless=status.counts.bad == 0)
    return replace(
        found,
        first_events=f"{found.first_events}; {then} of the budget left",
        second_events=f"{found.second_events}; {now} of the budget left",
    )


def _compared(first: tuple[str, Counts], second: tuple[str, Counts]) -> Compared:
    return Compared(first[0], _sli(first[1]), _tally(first[1]), second[0], _sli(second[1]), _tally(second[1]))


def _sli(counts: Counts) -> str:
    return figures.ratio(counts.good / counts.valid if counts.valid else None, flawless=counts.bad == 0)


def _tally(counts: Counts) -> str:
    sampled = counts.sampled
    text = f"{figures.count(counts.good, sampled=sampled)} good, {figures.count(counts.bad, sampled=sampled)} bad"
    return f"{text}, {figures.count(counts.unknown, sampled=sampled)} unknown" if counts.unknown else text


def restated_row(r: Restatement) -> Restated:
    return Restated(
        hour=r.hour,
        hour_text=f"{r.hour:%Y-%m-%d %H:%M}",
        cause=cell(r.cause, 40),
        minutes=figures.count(r.minutes),
        before=_tally(r.before),
        after=_tally(r.after),
        newest=r.newest,
        newest_text=f"{r.newest:%Y-%m-%d %H:%M}",
    )
