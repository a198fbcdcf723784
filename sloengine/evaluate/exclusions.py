"""Time that does not count (maintenance, decommissioned nodes), and the bands that a tick cuts time into. Pure.

``docs/time.md`` says the rules for users. Every edge lies on a whole minute.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.cube import COVERED, YES, Key, Layout, holds, matches
from sloengine.evaluate.periods import Interval, Window, bounds, floor_minute, instant_of, wall_of
from sloengine.marked import OF_NODES, mark_of
from sloengine.model import DatedTarget, Exclusion, Matcher, Node
from sloengine.recurrence import parse_rule, starts

MINUTE = timedelta(minutes=1)
Bools = NDArray[np.bool_]
CUTS_MAX = 2_000
"""A tick's SQL grows with its cuts."""


def occurrences(exclusion: Exclusion, lo: datetime, hi: datetime) -> list[Interval]:
    """What it excludes of ``[lo, hi)``: clipped, merged, in order. The work grows with hi − lo and nothing else.

    Raises:
        ValueError: its rule is wrong.
    """
    if lo >= hi:
        return []
    zone = ZoneInfo(exclusion.zone)
    end = min(hi, exclusion.until) if exclusion.until else hi
    length = exclusion.duration
    begun = [floor_minute(exclusion.start)] if exclusion.rrule is None else _begun(exclusion, lo, hi, zone)
    found = [(start, end if length is None else min(end, floor_minute(start + length))) for start in begun]
    return merged((max(lo, start), stop) for start, stop in found)


def _begun(exclusion: Exclusion, lo: datetime, hi: datetime, zone: ZoneInfo) -> list[datetime]:
    """Instants at which an occurrence begins that may reach into [lo, hi)."""
    rule = parse_rule(exclusion.rrule or "")
    spare = timedelta(days=1)  # a wall may lie that far from where its neighbours' offset puts it
    low = wall_of(lo, zone) - (exclusion.duration or timedelta()) - spare
    walls = starts(rule, wall_of(floor_minute(exclusion.start), zone), low, wall_of(hi, zone) + spare)
    instants = [instant_of(wall, zone) for wall in walls]
    if rule.until is None:
        return instants
    last = rule.until if rule.until.tzinfo else instant_of(rule.until, zone)
    return [instant for instant in instants if instant <= last]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time in as few intervals as possible, in order; empty ones vanish."""
    out: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if out and start <= out[-1][1]:
            out[-1] = out[-1][0], max(end, out[-1][1])
        else:
            out.append((start, end))
    return out


def concern(exclusion: Exclusion) -> Callable[[Key], bool]:
    """Whether it takes out what a bucket's key stands for.

    Names that not every bucket is told apart by are asked of the key's mark; of the key itself only where it holds them: a key
    without a device is not one that is no ``device="a"``.
    """
    mark = mark_of(exclusion)
    own = mark.where if mark else ()
    rest = tuple(matcher for matcher in exclusion.where if matcher not in own)
    of_nodes = {matcher.name for matcher in exclusion.where} <= OF_NODES

    def concerned(key: Key) -> bool:
        # Coverage is of nodes, whatever they run: it can't be told what else an exclusion asks.
        if key.measure == COVERED and not of_nodes:
            return False
        if not all(holds(matcher, key) for matcher in rest):
            return False
        if mark is None or key.get(mark.name) == "1":
            return True
        return all(key.get(matcher.name) != "" and holds(matcher, key) for matcher in own)

    return concerned


def concerned(exclusion: Exclusion, layout: Layout) -> Bools:
    """:func:`concern` of all keys, each distinct value asked once; shape (keys,)."""
    every = np.arange(len(layout.keys), dtype=np.int32)
    mark = mark_of(exclusion)
    own = mark.where if mark else ()

    def all_hold(matchers: Iterable[Matcher]) -> Bools:
        held = [layout.held(matcher, every) == YES for matcher in matchers]
        return np.asarray(np.logical_and.reduce(held), dtype=np.bool_) if held else np.ones(len(every), dtype=np.bool_)

    found = all_hold(matcher for matcher in exclusion.where if matcher not in own)
    if mark is not None:
        known = all_hold([*own, *(Matcher(matcher.name, "!=", "") for matcher in own)])
        found &= all_hold([Matcher(mark.name, "=", "1")]) | known
    if not {matcher.name for matcher in exclusion.where} <= OF_NODES:
        codes, measures = layout.column("")
        found &= np.array([measure != COVERED for measure in measures], dtype=np.bool_)[codes]
    return found


def untold(exclusion: Exclusion, names: Collection[str]) -> bool:
    """Whether it names something that rows told apart by ``names``, beside what all buckets are, don't hold."""
    mark = mark_of(exclusion)
    return mark is not None and not {matcher.name for matcher in mark.where} <= set(names)


def absences(
    exclusions: Iterable[Exclusion], nodes: Sequence[Node], lo: datetime, hi: datetime
) -> dict[Node, list[Interval]]:
    """When nodes were not expected to send, because all that they send is taken out; merged, in order."""
    found: dict[Node, list[Interval]] = {}
    for exclusion in exclusions:
        if not {matcher.name for matcher in exclusion.where} <= OF_NODES:
            continue
        spans = occurrences(exclusion, lo, hi)
        for node in nodes if spans else ():
            if all(matches(matcher, str(getattr(node, matcher.name))) for matcher in exclusion.where):
                found.setdefault(node, []).extend(spans)
    return {node: merged(spans) for node, spans in found.items()}


class TooManyCuts(ValueError):
    """Time would be cut into more bands than a tick can ask for. ``exclusion`` names the one to blame, if it is one."""

    def __init__(self, message: str, exclusion: str | None) -> None:
        self.exclusion = exclusion
        super().__init__(message)


def cuts(
    windows: Iterable[Window], exclusions: Iterable[Exclusion], targets: Iterable[DatedTarget], at: datetime
) -> list[datetime]:
    """Whole minutes, sorted, such that each window up to ``at``, exclusion and dated part is a union of bands between neighbours.

    The first is the earliest start of a window, the last is ``at``; nothing without a window. Seconds are cut off.

    Raises:
        TooManyCuts: more than ``CUTS_MAX``; names the exclusion that gives the most.
    """
    hi = floor_minute(at)
    found = {hi} | {floor_minute(bounds(window, hi)[0]) for window in windows}
    lo = min(found)
    found |= {since for t in targets if lo < (since := floor_minute(t.since)) < hi}
    if len(found) > CUTS_MAX:
        raise TooManyCuts(f"windows and dated targets make {len(found)} cuts, {CUTS_MAX} at most: share windows", None)
    most, blame = 0, ""
    for exclusion in exclusions:
        edges = {edge for span in occurrences(exclusion, lo, hi) for edge in span}
        found |= edges
        if len(edges) > most:
            most, blame = len(edges), exclusion.name
        if len(found) > CUTS_MAX:
            raise TooManyCuts(
                f"exclusion '{blame}' makes {most} cuts since {lo:%Y-%m-%d}, and all may make {CUTS_MAX}:"
                " let it happen less often, or last longer each time",
                blame,
            )
    return sorted(found) if lo < hi else []


def mask(edges: Sequence[datetime], lo: datetime, hi: datetime, without: Iterable[Interval]) -> list[bool]:
    """For each band between neighbouring ``edges``: does it belong to ``[lo, hi)`` less the intervals ``without``?

    ``hi`` may lie beyond the last edge: a calendar period ends later than now.

    Raises:
        ValueError: ``lo``, ``hi`` or an interval's end lies inside a band, or ``lo`` before the first.
    """
    if not edges:
        return []
    kept = [False] * (len(edges) - 1)
    low, high = _edge(edges, lo), _edge(edges, hi)
    if floor_minute(lo) < edges[0]:
        raise ValueError(
            f"{lo.isoformat()} lies before the first cut {edges[0].isoformat()}: give cuts() that window too"
        )
    kept[low:high] = [True] * max(0, min(high, len(kept)) - low)
    for start, end in without:
        first_band, last_band = _edge(edges, start), min(_edge(edges, end), len(kept))
        kept[first_band:last_band] = [False] * max(0, last_band - first_band)
    return kept


def _edge(edges: Sequence[datetime], moment: datetime) -> int:
    """Which edge this is; the first or one past the last band where it lies outside."""
    minute = floor_minute(moment)
    index = bisect_left(edges, minute)
    # A band that is only partly in would be counted whole or not at all, and nobody would see it.
    if edges[0] < minute < edges[-1] and edges[index] != minute:
        raise ValueError(f"{minute.isoformat()} is not a cut: give cuts() the window or exclusion that it belongs to")
    return min(index, len(edges) - 1)
