"""Counts per key and band of time, and the SLIs that are sums over them. Pure.

A band is the time between two neighbouring cuts: where a window, an exclusion or a new target begins or ends. Every window
is a sum of bands and every SLI a sum over keys, so all windows of all SLOs come out of one table by addition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sloengine.marked import UNSETTLED
from sloengine.model import DIMENSIONS, Group, Matcher, Selector, Slo

VALUE = "value"
Floats = NDArray[np.float64]
FIGURES = ("Events", "Squares", "Unweighted", "Bridged", "Shifted")
COVERED = "covered"


@dataclass(frozen=True, slots=True)
class Key:
    """What one row of the bucket tables is about."""

    measure: str
    dimensions: tuple[str, ...]
    """In the order of ``DIMENSIONS``."""
    attributes: str
    """JSON, or empty."""

    def get(self, name: str) -> str:
        """Value of a dimension or attribute; empty where there is none."""
        if name in _PLACE:
            return self.dimensions[_PLACE[name]]
        return _attributes(self.attributes).get(name, "")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the attributes that have a value."""
        return tuple(name for name, value in _attributes(self.attributes).items() if value)


_PLACE = {name: place for place, name in enumerate(DIMENSIONS)}


@lru_cache(maxsize=65536)
def _attributes(text: str) -> Mapping[str, str]:
    return json.loads(text) if text else {}


@dataclass(frozen=True, slots=True)
class Cube:
    """Figures by key and band; shapes (keys, bands)."""

    cuts: tuple[datetime, ...]
    """Ascending; band i begins at cut i and ends at the next one, the last at ``end``."""
    end: datetime
    keys: tuple[Key, ...]
    figures: Mapping[str, Floats]
    last_s: Floats
    """The newest minute of each key that holds data, in seconds since 1970; 0 for never."""
    layout: Layout = field(repr=False, compare=False)
    _summed: dict[bytes, Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def places(self, measures: Iterable[str], service: str) -> list[int]:
        return [place for measure in sorted(set(measures)) for place in self.layout.index.get((measure, service), ())]

    def plain_keys(self) -> NDArray[np.bool_]:
        """Whether every event of each key counts once and nothing about it is in doubt: no weights, no marks."""
        name = b"plain"
        if name not in self._summed:
            odd = (self.figures["Events"] != self.figures["Squares"]).any(axis=1)
            for figure in ("Unweighted", "Bridged", "Shifted"):
                odd |= self.figures[figure].any(axis=1)
            self._summed[name] = (~odd).astype(np.float64)
        plain: NDArray[np.bool_] = self._summed[name] != 0
        return plain

    def windows(self, masks: Floats) -> Floats:
        """Figures by window, shape (figures, keys, windows), in the order of ``FIGURES``. Most SLOs share their windows, so all
        keys are summed at once, the first time that these masks are asked for."""
        name = masks.tobytes()
        if name not in self._summed:
            self._summed[name] = np.array([self.figures[figure] @ masks.T for figure in FIGURES])
        return self._summed[name]


def build(
    rows: Iterable[Mapping[str, Any]], cuts: Sequence[datetime], end: datetime, utc: Callable[[datetime], datetime]
) -> Cube:
    """A cube from rows that name their keys: key columns, ``Band`` (1-based), figures, ``Last``."""
    listed = list(rows)
    owners = [key_of(row) for row in listed]
    places = {key: place for place, key in enumerate(dict.fromkeys(owners))}
    found = np.array([places[key] for key in owners], dtype=np.intp)
    bands = np.array([row["Band"] for row in listed], dtype=np.intp)
    figures = [(name, np.array([row[name] for row in listed], dtype=np.float64)) for name in FIGURES]
    last_s = [utc(row["Last"]).timestamp() for row in listed]
    return _filled(Layout(tuple(places)), (found, bands), figures, last_s, (cuts, end))


def key_of(row: Mapping[str, Any]) -> Key:
    return Key(row["Measure"], tuple(row[name] for name in DIMENSIONS), row["Attributes"])


class Layout:
    """Keys by place: where to find those of a (measure, service), and their names and attributes as columns of codes."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        index: dict[tuple[str, str], list[int]] = {}
        for place, key in enumerate(keys):
            index.setdefault((key.measure, key.dimensions[_PLACE["service"]]), []).append(place)
        self.index = {owner: tuple(found) for owner, found in index.items()}
        self._columns: dict[str, tuple[NDArray[np.int32], tuple[str, ...]]] = {}
        self._tables: dict[Matcher, NDArray[np.int8]] = {}

    def column(self, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Of each key the code of its value, and the values by code."""
        if name not in self._columns:
            values = [key.measure if name == "" else key.get(name) for key in self.keys]
            codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
            self._columns[name] = np.array([codes[value] for value in values], dtype=np.int32), tuple(codes)
        return self._columns[name]

    def held(self, matcher: Matcher, places: NDArray[np.int32]) -> NDArray[np.int8]:
        """:func:`holds` of many keys, each distinct value asked once: NO, MAYBE or YES."""
        if matcher.name == VALUE:
            return self._value_held(matcher, places)
        codes, values = self.column(matcher.name)
        if matcher not in self._tables:
            self._tables[matcher] = np.array(
                [YES if matches(matcher, value) else NO for value in values], dtype=np.int8
            )
        return self._tables[matcher][codes[places]]

    def _value_held(self, matcher: Matcher, places: NDArray[np.int32]) -> NDArray[np.int8]:
        cut = float(matcher.value)
        below = self._tested("le", places, lambda text: float(text or "inf") <= cut)
        above = self._tested("gt", places, lambda text: float(text or "-inf") >= cut)
        early = self._tested(UNSETTLED, places, lambda text: float(text or "inf") <= cut)
        inside, outside = (YES, NO) if matcher.op == "<=" else (NO, YES)
        return np.where(early, MAYBE, np.where(below, inside, np.where(above, outside, MAYBE))).astype(np.int8)

    def _tested(self, name: str, places: NDArray[np.int32], test: Callable[[str], bool]) -> NDArray[np.bool_]:
        codes, values = self.column(name)
        return np.array([test(value) for value in values], dtype=np.bool_)[codes[places]]


NO, MAYBE, YES = 0, 1, 2
"""Ordered, so that "all" is the least of them and "any" the greatest."""


def _filled(
    layout: Layout,
    cells: tuple[NDArray[np.intp], NDArray[np.intp]],
    figures: Iterable[tuple[str, Floats]],
    last_s: Sequence[float] | NDArray[np.integer[Any]],
    frame: tuple[Sequence[datetime], datetime],
) -> Cube:
    """``cells``: place and 1-based band of each row; ``figures``: of the rows, by name; ``last_s``: since 1970, 0 for never."""
    (places, bands), (cuts, end) = cells, frame
    shape = (len(layout.keys), len(cuts))
    cell = places * len(cuts) + bands - 1
    size = shape[0] * shape[1]
    tables = {name: np.bincount(cell, column, size).astype(np.float64, copy=False) for name, column in figures}
    tables = {name: table.reshape(shape) for name, table in tables.items()}
    newest = np.zeros(len(layout.keys))
    np.maximum.at(newest, places, np.asarray(last_s, dtype=np.float64))
    return Cube(tuple(cuts), end, layout.keys, tables, newest, layout)


Ids = NDArray[np.uint64]
"""Key ids, ascending, each once."""


class Keys:
    """What the store's key ids stand for. Asked when an id is met for the first time: they are the same from tick to tick."""

    def __init__(self) -> None:
        self._known: dict[int, Key] = {}
        self._laid: tuple[Ids, frozenset[str], Layout, NDArray[np.intp]] | None = None

    def missing(self, ids: Ids) -> list[int]:
        """Those of ``ids`` that nothing is known of."""
        if self._laid is not None and np.array_equal(self._laid[0], ids):
            return []
        return [number for number in ids.tolist() if number not in self._known]

    def learn(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """From rows of ``window_keys.sql``."""
        self._known |= {row["KeyId"]: key_of(row) for row in rows}

    def lay_out(self, ids: Ids, nodewise: Iterable[str]) -> tuple[Layout, NDArray[np.intp]]:
        """Keys, and for each id the place of its key. Detail of nodes is summed away unless a measure is among ``nodewise``.

        Raises:
            KeyError: of an id that is ``missing``.
        """
        kept = frozenset(nodewise)
        if self._laid is None or self._laid[1] != kept or not np.array_equal(self._laid[0], ids):
            # Only what there still is: versions and rollouts come and go, and memory must not grow with them.
            self._known = {number: self._known[number] for number in ids.tolist()}
            owners = [_without_device(key, kept) for key in self._known.values()]
            places = {key: place for place, key in enumerate(dict.fromkeys(owners))}
            found = np.array([places[key] for key in owners], dtype=np.intp)
            self._laid = ids, kept, Layout(tuple(places)), found
        return self._laid[2], self._laid[3]


def _without_device(key: Key, nodewise: frozenset[str]) -> Key:
    if key.measure in nodewise or not key.dimensions[-1]:
        return key
    return Key(key.measure, (*key.dimensions[:-1], ""), key.attributes)


def assemble(
    rows: NDArray[Any], places: NDArray[np.intp], layout: Layout, frame: tuple[Sequence[datetime], datetime]
) -> Cube:
    """A cube from ``window_bands.sql``, a structured array of ``Cut``, figures and ``Last``; times in seconds since 1970.

    ``places``: of each row's key. ``frame``: cuts and end.
    """
    bands = np.searchsorted([cut.timestamp() for cut in frame[0]], rows["Cut"], side="right")
    figures = ((name, rows[name].astype(np.float64)) for name in FIGURES)
    return _filled(layout, (places, bands), figures, rows["Last"], frame)


def without(cube: Cube, out: Mapping[int, Floats]) -> Cube:
    """The cube less excluded time: for the place of a key, 1 in each band that does not count for it."""
    if not out:
        return cube
    held = np.array(sorted(out), dtype=np.intp)
    kept = 1 - np.array([out[place] for place in held.tolist()])
    figures = {name: table.copy() for name, table in cube.figures.items()}
    for table in figures.values():
        table[held] *= kept
    return replace(cube, figures=figures)


# --- which rows count as what


@dataclass(frozen=True, slots=True)
class Share:
    """What a key contributes to an SLI: factors of its events for good, bad and unknown."""

    good: float
    bad: float
    unknown: float


def holds(matcher: Matcher, key: Key) -> bool | None:
    """Whether a key meets a matcher; None if its band of values lies on both sides of the cut."""
    if matcher.name == VALUE:
        return _value_holds(matcher, key)
    return matches(matcher, key.get(matcher.name))


def matches(matcher: Matcher, value: str) -> bool:
    """Whether a dimension's or attribute's value meets a matcher."""
    match matcher.op:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return bool(_pattern(matcher.value).fullmatch(value))
        case _:
            return not _pattern(matcher.value).fullmatch(value)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    # ASCII, because RE2's \w and \d are: a matcher must say the same here and in the store.
    return re.compile(text, re.DOTALL | re.ASCII)


def _value_holds(matcher: Matcher, key: Key) -> bool | None:
    cut = float(matcher.value)
    if float(key.get(UNSETTLED) or "inf") <= cut:
        return None
    if float(key.get("le") or "inf") <= cut:
        return matcher.op == "<="
    if float(key.get("gt") or "-inf") >= cut:
        return matcher.op == ">"
    return None


def selected(selectors: Sequence[Selector], key: Key) -> bool | None:
    """Whether any selector takes a key; None if none surely does but one may."""
    found: bool | None = False
    for selector in selectors:
        if selector.measure != key.measure:
            continue
        held = _all(holds(matcher, key) for matcher in selector.where)
        if held:
            return True
        if held is None:
            found = None
    return found


def _all(parts: Iterable[bool | None]) -> bool | None:
    out: bool | None = True
    for part in parts:
        if part is False:
            return False
        if part is None:
            out = None
    return out


def share_of(slo: Slo, key: Key) -> Share | None:
    """What a key contributes to an SLO's SLI; None if nothing.

    Where one of good and bad is missing it is the total without the other, by addition, so the two may come from different
    metrics.
    """
    if _all(holds(matcher, key) for matcher in slo.where) is False:
        return None
    sli = slo.sli
    good, bad, total = selected(sli.good, key), selected(sli.bad, key), selected(sli.total, key)
    if good is False and bad is False and total is False:
        return None
    if good is None or bad is None or total is None:
        return Share(0, 0, 1)
    if sli.good and sli.bad:
        return Share(float(good), float(bad), float(total and not good and not bad))
    if sli.good:
        return Share(float(good), float(total) - float(good), 0)
    return Share(float(total) - float(bad), float(bad), 0)


def shares_of(slo: Slo, layout: Layout, places: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """:func:`share_of` of many keys: places of those that contribute, and their shares, of shape (3, keys)."""
    where = [layout.held(matcher, places) for matcher in slo.where]
    good, bad, total = (_selected(part, layout, places) for part in (slo.sli.good, slo.sli.bad, slo.sli.total))
    most = np.maximum(np.maximum(good, bad), total)
    kept = np.min([np.full(len(places), YES), *where], axis=0) > NO
    kept &= most > NO
    unsure = (good == MAYBE) | (bad == MAYBE) | (total == MAYBE)
    is_good, is_bad, is_total = ((part == YES).astype(np.int8) for part in (good, bad, total))
    if slo.sli.good and slo.sli.bad:
        shares = [is_good, is_bad, is_total * (1 - is_good) * (1 - is_bad)]
    elif slo.sli.good:
        shares = [is_good, is_total - is_good, np.zeros_like(is_good)]
    else:
        shares = [is_total - is_bad, is_bad, np.zeros_like(is_bad)]
    table = np.where(unsure, np.array([[0], [0], [1]], dtype=np.int8), np.array(shares, dtype=np.int8))
    return places[kept], table[:, kept]


def _selected(selectors: Sequence[Selector], layout: Layout, places: NDArray[np.int32]) -> NDArray[np.int8]:
    """:func:`selected` of many keys."""
    found = np.zeros(len(places), dtype=np.int8)
    codes, measures = layout.column("")
    for selector in selectors:
        mine = np.array([measure == selector.measure for measure in measures], dtype=np.bool_)[codes[places]]
        held = [layout.held(matcher, places) for matcher in selector.where]
        found = np.maximum(found, np.min([np.where(mine, YES, NO), *held], axis=0).astype(np.int8))
    return found


@dataclass(frozen=True, slots=True)
class Slice:
    """The keys of one slice of an SLO with their shares, ready to be summed. Narrow: a thousand SLOs may share many keys."""

    group: Group
    places: NDArray[np.int32]
    shares: NDArray[np.int8]
    """Shape (3, keys): good, bad, unknown."""
