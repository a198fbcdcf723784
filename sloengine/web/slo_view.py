"""What the page of one SLO says, worked out from the snapshot and what stands behind its budget. Pure: the template places it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sloengine.evaluate.account import Account, Standing
from sloengine.evaluate.fleet import SEGMENTS_MAX, Gap
from sloengine.evaluate.segments import Segments, segments
from sloengine.model import Counts, Group, Slo, Snapshot, State, Status, Unknown, Weighting
from sloengine.web import figures
from sloengine.web.places import group_of, slice_text, slo_page
from sloengine.web.slo_budget import (
    Burn,
    CauseRow,
    Compared,
    PurseRow,
    Restated,
    Row,
    as_known,
    attributed,
    budget_rows,
    burn_rows,
    cause_rows,
    excluded_pair,
    lasts,
    purse_rows,
    restated_row,
    share_text,
)
from sloengine.web.slo_quantiles import Values, values_of
from sloengine.web.view import NEVER, TONES, Cell, Limits, Slice, cell, slice_of, worst_first

RESTATED_MAX = 24
SLICES_MAX = 100
SEGMENT = "edge.segment."


@dataclass(frozen=True, slots=True)
class Unit:
    """A node, a site or a segment."""

    name: Cell
    share: str
    interval: str
    bad: str
    valid: str
    coverage: str
    link: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class Sibling:
    group: tuple[tuple[str, Cell], ...]
    state: str
    tone: str
    sli: str
    budget: str
    link: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class SloPage:
    title: str
    tone: str
    verdict: str
    detail: str
    found: bool
    slice: Slice | None
    ticked: bool
    at: datetime | None
    at_text: str
    tick_age: str
    tick_late: bool
    indicator: str = ""
    source: Cell | None = None
    policy: str = ""
    by_whom: str = ""
    """Whose ratio counts the same, in words; empty where it is each event's."""
    window: str = ""
    marks: tuple[tuple[str, str], ...] = ()
    """What a reader must know of the figures: a word, and what it means."""
    interval: str = ""
    budget: tuple[Row, ...] = ()
    lasts: str = ""
    problem: str = ""
    """Why what stands behind the budget is not there, or is older."""
    attributed: str = ""
    causes: tuple[CauseRow, ...] = ()
    purses: tuple[PurseRow, ...] = ()
    burns: tuple[Burn, ...] = ()
    excluded: tuple[tuple[Cell, Cell, str], ...] = ()
    with_excluded: Compared | None = None
    restated: tuple[Restated, ...] = ()
    restated_hidden: int = 0
    known: Compared | None = None
    blind: str = ""
    values: tuple[Values, ...] = ()
    """How far from its limit each span or gauge is."""
    values_unknown: str = ""
    units: tuple[Unit, ...] = ()
    units_title: str = ""
    gap: str = ""
    beware: str = ""
    siblings: tuple[Sibling, ...] = ()
    siblings_hidden: int = 0
    parts: tuple[tuple[Cell, str, str, str | None], ...] = ()
    api: str | None = None
    commands: tuple[str, ...] = ()


def chosen(snapshot: Snapshot, name: str, slice_: str) -> tuple[list[Status], Status | None]:
    """The SLO's slices, worst first, and the one meant: the worst of those that agree with ``slice_``."""
    mine = worst_first(s for s in snapshot.statuses if s.slo.name == name)
    wanted = set(group_of(slice_))
    exact = [s for s in mine if set(s.group) == wanted]
    return mine, next(iter(exact or [s for s in mine if wanted <= set(s.group)]), None)


def slo_view(snapshot: Snapshot, standing: Standing, asked: tuple[str, str], now: datetime, limits: Limits) -> SloPage:
    """The page of an SLO; ``asked``: its name, and a slice as addresses write it (empty: the worst)."""
    name, slice_ = asked
    mine, status = chosen(snapshot, name, slice_)
    age = None if snapshot.at is None else now - snapshot.at
    late = age is not None and age > limits.tick
    shown = cell(mine[0].slo.display_name or name).shown if mine else cell(name).shown
    at_text = NEVER if snapshot.at is None else figures.moment(snapshot.at)
    frame = (shown, snapshot.at is not None, snapshot.at, at_text, figures.age(age), late)
    if status is None:
        return _nothing(frame, mine, slice_)
    return _page(frame, (mine, status), standing)


Frame = tuple[str, bool, datetime | None, str, str, bool]


def _nothing(frame: Frame, mine: Sequence[Status], slice_: str) -> SloPage:
    title, ticked, at, at_text, age, late = frame
    if not ticked:
        verdict, detail = "Waiting for the first tick", "The engine has not judged anything yet."
    elif not mine:
        verdict = f"No objective is called {title}"
        detail = "It may have been renamed, or the catalogue that the engine reads does not hold it."
    else:
        verdict = f"No slice is {cell(slice_).shown}"
        detail = f"{title} has {figures.count(len(mine))} other slices, listed below."
    return SloPage(
        title, "none", verdict, detail, False, None, ticked, at, at_text, age, late,
        siblings=_siblings(mine, None), siblings_hidden=max(0, len(mine) - SLICES_MAX),
    )  # fmt: skip


def _page(frame: Frame, found: tuple[list[Status], Status], standing: Standing) -> SloPage:
    mine, status = found
    slo, account = status.slo, standing.accounts.of(status.group) if standing.accounts else Account()
    title, ticked, at, at_text, age, late = frame
    units, units_title, gap, beware = _units(mine, status)
    return SloPage(
        title=title,
        tone="warn" if late and status.state is not State.BURNING else TONES[status.state],
        verdict=f"{title}: {status.state.value}{f', last judged {age} ago' if late else ''}",
        detail=figures.cut(status.reason, 400),
        found=True,
        slice=slice_of(status),
        ticked=ticked,
        at=at,
        at_text=at_text,
        tick_age=age,
        tick_late=late,
        indicator=figures.cut(slo.indicator),
        source=cell(slo.source, 60),
        policy=figures.cut(slo.policy.name),
        by_whom=_by_whom(slo),
        window=_window(status),
        marks=_marks(status),
        interval=_interval(status),
        budget=budget_rows(status),
        lasts=lasts(status),
        problem=figures.cut(standing.problem, 300),
        attributed=attributed(standing, account.attribution),
        causes=cause_rows(account.attribution),
        purses=purse_rows(slo, account.attribution),
        burns=burn_rows(status),
        excluded=tuple(
            (cell(e.name), cell(e.reason, 120), figures.age(timedelta(minutes=e.minutes))) for e in account.excluded
        ),
        with_excluded=excluded_pair(status),
        restated=tuple(restated_row(r) for r in account.restated[:RESTATED_MAX]),
        restated_hidden=max(0, len(account.restated) - RESTATED_MAX),
        known=as_known(status, account),
        blind=account.blind,
        values=values_of(status, standing.accounts.quantiles if standing.accounts else ()),
        values_unknown=figures.cut(standing.accounts.unknown_quantiles, 300) if standing.accounts else "",
        units=units,
        units_title=units_title,
        gap=gap,
        beware=beware,
        siblings=_siblings(mine, status) if len(mine) > 1 else (),
        siblings_hidden=max(0, len(mine) - SLICES_MAX),
        parts=tuple((cell(n), f"{w:g}", figures.multiple(b), slo_page(n)) for n, w, b in status.components),
        api=_api(slo.name, status.group),
        commands=_commands(slo.name, status.group),
    )


# --- the promise, and how well its figure is known


def _by_whom(slo: Slo) -> str:
    if slo.quantifier is not None:
        share, target = figures.exact_percent(slo.quantifier.share), figures.exact_percent(slo.quantifier.target)
        return f"the worst {share} of nodes together" if slo.quantifier.worst else f"{share} of nodes, each at {target}"
    return "" if slo.weighting is Weighting.EVENTS else f"each of the {slo.weighting.value} weighs the same"


def _window(status: Status) -> str:
    if status.window_start is None or status.window_end is None:
        return ""
    kind = "calendar" if status.slo.calendar else "rolling"
    ends = (f"{m:%Y-%m-%d %H:%M}" for m in (status.window_start, status.window_end))
    return f"{kind}, {' to '.join(ends)} UTC"


def _interval(status: Status) -> str:
    if status.interval is None:
        return ""
    return f"95 % sure of {figures.span(*status.interval)}"


def _marks(status: Status) -> tuple[tuple[str, str], ...]:
    counts, found = status.counts, []
    if counts.sampled:
        worth = figures.count(round(status.effective or 0))
        found.append(("sampled", f"estimated from weighted samples, known as well as {worth} counted events"))
    if waits := _waits(status):
        found.append(("provisional", waits))
    if status.clustered:
        found.append(
            ("by node", f"the interval allows for {figures.count(status.clustered)} nodes or sites that differ")
        )
    if counts.bridged:
        what = f"{figures.count(counts.bridged)} events came in one increase across an outage: of no known minute"
        found.append(("bridged", what))
    if counts.shifted:
        found.append(("moved", f"{figures.count(counts.shifted)} events were moved because a device's clock was off"))
    if status.folded:
        found.append(("folded", f"{figures.count(status.folded)} slices beyond the cardinality budget, as one"))
    return tuple(found)


def _waits(status: Status) -> str:
    """Figures that are not final: labels still come, or a calendar period still runs."""
    measures = {s.measure for s in status.slo.sli.selectors}
    if status.counts.unknown and "label.lag" in measures:
        return f"{figures.count(status.counts.unknown)} predictions are younger than the limit, or of unknown weight"
    if status.counts.unknown and "predictions" in measures:
        labelled = figures.ratio(status.counts.valid / (status.counts.valid + status.counts.unknown), flawless=False)
        return f"{labelled} have a label; those of {figures.count(status.counts.unknown)} others still count when they come"
    if status.slo.calendar and status.window_end and status.at < status.window_end:
        return f"the period ends in {figures.age(status.window_end - status.at)}"
    return ""


# --- what it is made of


def _units(mine: Sequence[Status], status: Status) -> tuple[tuple[Unit, ...], str, str, str]:
    """Nodes or sites, or the segments that the SLO tells apart; a title; the gap between segments, and a warning."""
    if status.units:
        title = "Sites" if status.slo.weighting is Weighting.SITES else "Nodes"
        return tuple(_unit(name, counts) for name, counts in status.units), title, "", ""
    segment = next((name for name, _ in status.group if name.startswith(SEGMENT)), None)
    if segment is None or status.slo.unknown is not Unknown.IGNORE:
        return (), "", "", ""
    beside = _beside(mine, status, segment)
    if len(beside) > SEGMENTS_MAX:
        return (), "", "", ""
    found = segments({name: s.counts for name, s in beside.items()})
    rows = tuple(
        Unit(
            name=cell(r.name or "(none)", 48),
            share=figures.ratio(r.share, flawless=r.counts.bad == 0),
            interval=figures.span(*r.interval) if r.interval else "",
            bad=figures.count(r.counts.bad, sampled=r.counts.sampled),
            valid=figures.count(r.counts.valid, sampled=r.counts.sampled),
            coverage=figures.ratio(r.coverage, flawless=True),
            link=slo_page(status.slo.name, beside[r.name].group),
            current=beside[r.name] is status,
        )
        for r in found.rows[:SLICES_MAX]
    )
    return rows, f"Segments by {figures.cut(segment.removeprefix(SEGMENT), 40)}", _gap(found), _beware(found)


def _beside(mine: Sequence[Status], status: Status, segment: str) -> dict[str, Status]:
    """Slices that differ from this one by their segment alone."""
    rest = [pair for pair in status.group if pair[0] != segment]
    return {dict(s.group)[segment]: s for s in mine if not s.folded and [p for p in s.group if p[0] != segment] == rest}


def _unit(name: str, counts: Counts) -> Unit:
    share = counts.good / counts.valid if counts.valid else None
    return Unit(
        name=cell(name or "(none)", 48),
        share=figures.ratio(share, flawless=counts.bad == 0),
        interval="",
        bad=figures.count(counts.bad, sampled=counts.sampled),
        valid=figures.count(counts.valid, sampled=counts.sampled),
        coverage="",
        link=None,
        current=False,
    )


def _gap(found: Segments) -> str:
    gap = found.gap
    if not isinstance(gap, Gap):
        return "Too few events to compare segments."
    worst, best = (cell(n or "(none)", 40).shown for n in (gap.worst, gap.best))
    sure = "There surely is a gap" if gap.interval.low > 0 else "There may be none"
    ends = figures.span(gap.interval.low, gap.interval.high)
    return (
        f"{worst} is {share_text(gap.gap)} below {best} as seen; chance alone would show {share_text(gap.by_chance)} between the"
        f" best and the worst. {sure}: 95 % sure of {ends}, the choice of the two allowed for."
    )


def _beware(found: Segments) -> str:
    gap = found.coverage_gap
    if not isinstance(gap, Gap) or gap.interval.low <= 0:
        return ""
    worst, best = (cell(n or "(none)", 40).shown for n in (gap.worst, gap.best))
    return f"Fewer of {worst} have a label than of {best}: if those without one are not like the rest, these figures are off."


def _siblings(mine: Sequence[Status], status: Status | None) -> tuple[Sibling, ...]:
    return tuple(_sibling(s, current=s is status) for s in mine[:SLICES_MAX])


def _sibling(status: Status, *, current: bool) -> Sibling:
    flawless = status.counts.bad == 0
    zero = status.slo.zero_tolerance or status.state is State.BROKEN
    return Sibling(
        group=tuple((name, cell(value, 40)) for name, value in status.group),
        state=status.state.value,
        tone=TONES[status.state],
        sli=figures.ratio(status.sli, flawless=flawless),
        budget=figures.NONE if zero else figures.budget(status.budget_remaining, flawless=flawless),
        link=slo_page(status.slo.name, status.group),
        current=current,
    )


# --- where to go from here


def _api(name: str, group: Group) -> str | None:
    page = slo_page(name, group)
    return None if page is None else page.replace("/slo/", "/api/v1/slos/", 1)


def _commands(name: str, group: Group) -> tuple[str, ...]:
    """Ready to paste, where names need no quoting."""
    words = [name, *(part for pair in group for part in pair)]
    if not all(word and all(c.isalnum() or c in "._-/" for c in word) for word in words):
        return ()
    slice_ = f" --slice {slice_text(group)}" if group else ""
    return f"sloengine explain {name}{slice_}", f"sloengine budget {name}{slice_}"
