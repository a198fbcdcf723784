"""Past minutes of an SLO's slices, read at once: what `backtest` replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.backtest import Minutes
from sloengine.evaluate.cube import Key, Share, share_of
from sloengine.evaluate.exclusions import MINUTE, concern, occurrences
from sloengine.evaluate.plan import OTHER
from sloengine.model import DIMENSIONS, Exclusion, Group, Slo, Weighting
from sloengine.store.client import Row, Store

Floats = NDArray[np.float64]
TABLES = ("good", "bad", "unknown", "good_squares", "bad_squares")


@dataclass(frozen=True, slots=True)
class Span:
    """Whole minutes ``[start, end)``."""

    start: datetime
    end: datetime

    @property
    def length(self) -> int:
        return (self.end - self.start) // MINUTE


@dataclass(frozen=True, slots=True)
class _Part:
    """One bucket key's minutes and what it counts as."""

    key: Key
    share: Share
    places: NDArray[np.intp]
    events: Floats
    squares: Floats
    unweighted: Floats
    items: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Past:
    """Bucket rows of some measures over a span, with the dimensions that were asked for."""

    span: Span
    rows: Sequence[Row]


def read_past(store: Store, slos: Sequence[Slo], exclusions: Sequence[Exclusion], span: Span) -> Past:
    """One read for SLOs of one service that are replayed side by side."""
    asked = [_asked(slo, exclusions) for slo in slos]
    measures = sorted({m for measures, _ in asked for m in measures})
    keep = sorted({name for _, kept in asked for name in kept}) or [""]
    values = {"from": span.start, "until": span.end, "service": slos[0].service}
    return Past(span, store.rows("backtest_minutes", measures=measures, keep=keep, **values))


def slices_of(slo: Slo, past: Past, exclusions: Sequence[Exclusion]) -> Iterator[tuple[Group, Minutes]]:
    """Each slice of an SLO with its minutes, one after the other: only one is held as tables at a time."""
    groups: dict[Group, list[_Part]] = {}
    for row in past.rows:
        part = _part(slo, row)
        if part is not None:
            group = tuple((name, part.key.get(name)) for name in slo.by)
            groups.setdefault(group, []).append(part)
    for group, parts in _within_budget(slo, groups):
        yield group, _minutes(slo, parts, exclusions, past.span)


def _asked(slo: Slo, exclusions: Sequence[Exclusion]) -> tuple[set[str], set[str]]:
    """Measures that an SLO counts, and the dimensions that it, or what is excluded, tells apart."""
    counted = slo.sli.good + slo.sli.bad + slo.sli.total
    matchers = [m for s in counted for m in s.where] + [m for e in exclusions for m in e.where] + list(slo.where)
    keep = {m.name for m in matchers} | set(slo.by) | ({_unit(slo)} if _by_units(slo) else set())
    return {s.measure for s in counted}, keep & set(DIMENSIONS)


def _by_units(slo: Slo) -> bool:
    return slo.quantifier is not None or slo.weighting is not Weighting.EVENTS


def _unit(slo: Slo) -> str:
    return "gateway" if slo.weighting is Weighting.SITES else "device"


def _part(slo: Slo, row: Row) -> _Part | None:
    key = Key(row["Measure"], tuple(row[name] for name in DIMENSIONS), row["Attributes"])
    # It may have been read for the other SLO.
    share = share_of(slo, key)
    if share is None:
        return None
    return _Part(
        key,
        share,
        np.array(row["Places"], dtype=np.intp),
        np.array(row["Events"], dtype=np.float64),
        np.array(row["Squares"], dtype=np.float64),
        np.array(row["Unweighted"], dtype=np.float64),
        np.array(row["Items"], dtype=np.bool_),
    )


def _within_budget(slo: Slo, groups: dict[Group, list[_Part]]) -> Iterator[tuple[Group, list[_Part]]]:
    """Slices within the cardinality budget, by name; the rest as one. The engine keeps who came first."""
    ordered = sorted(groups)
    for group in ordered[: slo.slices_max]:
        yield group, groups[group]
    rest = [part for group in ordered[slo.slices_max :] for part in groups[group]]
    if rest:
        yield tuple((name, OTHER) for name in slo.by), rest


def _minutes(slo: Slo, parts: Sequence[_Part], exclusions: Sequence[Exclusion], span: Span) -> Minutes:
    units = sorted({part.key.get(_unit(slo)) for part in parts}) if _by_units(slo) else [""]
    tables = {name: np.zeros((len(units), span.length)) for name in TABLES}
    inexact, told = np.zeros(span.length), np.zeros(span.length, bool)
    for part in parts:
        unit = units.index(part.key.get(_unit(slo))) if _by_units(slo) else 0
        told[part.places] |= part.items
        _add(tables, inexact, _kept(part, exclusions, span), unit)
    return Minutes(start=span.start, inexact=inexact, told=told, **tables)


def _add(tables: dict[str, Floats], inexact: Floats, part: _Part, unit: int) -> None:
    share, at = part.share, part.places
    tables["good"][unit, at] += share.good * part.events
    tables["bad"][unit, at] += share.bad * part.events
    # A span of unknown weight may be any of the slice's: it is unknown whatever it was.
    tables["unknown"][unit, at] += share.unknown * part.events + part.unweighted
    tables["good_squares"][unit, at] += abs(share.good) * part.squares
    tables["bad_squares"][unit, at] += abs(share.bad) * part.squares
    inexact[at] += np.abs(part.events - part.squares)


def _kept(part: _Part, exclusions: Sequence[Exclusion], span: Span) -> _Part:
    """Without the minutes that are excluded for this key."""
    keep = np.ones(len(part.places), bool)
    for exclusion in exclusions:
        if concern(exclusion)(part.key):
            for start, end in occurrences(exclusion, span.start, span.end):
                lo, hi = (start - span.start) // MINUTE, (end - span.start) // MINUTE
                keep &= (part.places < lo) | (part.places >= hi)
    if keep.all():
        return part
    figures = (part.places, part.events, part.squares, part.unweighted, part.items)
    return _Part(part.key, part.share, *(figure[keep] for figure in figures))  # type: ignore[arg-type]
