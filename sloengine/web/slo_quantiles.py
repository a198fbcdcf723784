"""How far from its limit an SLO's values are, as its page places it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sloengine.evaluate.quantiles import SINCE, SPANS, Asked, Quantile, Quantiles
from sloengine.model import Status
from sloengine.times import format_duration
from sloengine.web import figures
from sloengine.web.view import Cell, cell

SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Row:
    who: tuple[tuple[str, Cell], ...]
    """What tells it apart beside the slice."""
    points: tuple[tuple[str, str, str], ...]
    """Of each quantile its name, value and interval."""
    note: str


@dataclass(frozen=True, slots=True)
class Values:
    """One span, or one gauge."""

    title: Cell
    limit: str
    sampled: bool
    meaning: str
    rows: tuple[Row, ...]
    hidden: int


def values_of(status: Status, found: Iterable[Quantiles]) -> tuple[Values, ...]:
    """Those of a slice, as far as they are told apart."""
    by_asked: dict[Asked, list[Quantiles]] = {}
    for one in found:
        if one.within(status.slo.service, status.group):
            by_asked.setdefault(one.asked, []).append(one)
    return tuple(_values(status, asked, mine) for asked, mine in by_asked.items())


def _values(status: Status, asked: Asked, mine: Sequence[Quantiles]) -> Values:
    spans = asked.query == SPANS
    apart = {name for name, _ in mine[0].who}
    untold = [name for name, _ in status.group if name not in apart | {"service"}]
    since = format_duration(SINCE[asked.query])
    said = (
        f"All spans of this name in the last {since}" if spans else f"Time of the last {since}, the fullest nodes first"
    )
    if untold:
        said += f"; not told apart by {', '.join(figures.cut(name) for name in untold)}"
    if spans:
        said += "; below each its 95 % interval, ≥ or ≤ where so few spans bound one side only"
    else:
        said += "; no interval, because neighbouring values are alike and how alike is not known"
    return Values(
        title=cell(asked.name),
        limit=_value(asked, float(asked.limit)),
        sampled=any(one.sampled for one in mine),
        meaning=said,
        rows=tuple(_row(status, one) for one in mine[:SHOWN_MAX]),
        hidden=max(0, len(mine) - SHOWN_MAX),
    )


def _row(status: Status, one: Quantiles) -> Row:
    told = {"service", *(name for name, _ in status.group)}
    return Row(
        who=tuple((name, cell(value)) for name, value in one.who if name not in told and value),
        points=tuple(
            (f"p{point.share * 100:g}", _estimate(one, point), _interval(one.asked, point)) for point in one.points
        ),
        note=_note(one),
    )


def _value(asked: Asked, value: float) -> str:
    return figures.seconds(value) if asked.query == SPANS else f"{value:.3g}"


def _estimate(one: Quantiles, point: Quantile) -> str:
    return f"{'≈' if one.sampled else ''}{_value(one.asked, point.value)}"


def _interval(asked: Asked, point: Quantile) -> str:
    low, high = (None if end is None else _value(asked, end) for end in (point.low, point.high))
    if low is None or high is None:
        return f"≥ {low}" if low else f"≤ {high}" if high else ""
    return f"{low} to {high}"


def _note(one: Quantiles) -> str:
    if one.above is not None:
        return f"{figures.ratio(one.above, flawless=one.above >= 1)} of the time above"
    known = f"as sure as {figures.count(round(one.effective or 0))} spans"
    return f"{known}; {figures.count(one.unweighted)} of unknown weight left out" if one.unweighted else known
