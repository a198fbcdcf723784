"""Verdicts of slices of time: a sum, or a ratio of two sums, of one entity and slice held to a threshold. Pure.

What is not fully known is an interval, and a verdict is given only if the whole interval lies on one side of the threshold;
docs/slices.md says what makes it one. Slices are aligned to UTC, those of whole weeks to Mondays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sloengine.evaluate.cube import Key, holds, selected
from sloengine.model import DETAIL, DIMENSIONS, Matcher, Node, Selector, SliceRule, Slo, Source

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
CELL_SHARE = 6
CELL_MIN, CELL_MAX = timedelta(minutes=5), timedelta(minutes=15)
COVERED_MIN = 0.8
"""A sum is known to its end if the entity was heard in this share of the slice's cells: an hour's are ten minutes long."""
EXPORTED = (Source.SUM, Source.HISTOGRAM, Source.GAUGE)
"""Exported at intervals, so that not hearing of it is silence; spans, logs and derived rows come when there is something."""
OPS = {"lte": operator.le, "lt": operator.lt, "gte": operator.ge, "gt": operator.gt}
OF_NODES = ("region", "gateway", "device")
"""Dimensions that the inventory knows of a node, beside its service."""

Entity = tuple[str, ...]
"""Values of :func:`names_of`, in its order."""


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a slice has no verdict."""

    MISSING = "missing"
    """It was expected, and nothing was heard."""
    IDLE = "idle"
    """There was telemetry, but nothing to judge: no valid events, neither part of a ratio counted anything."""
    PARTIAL = "partial"
    """Only the numerator was heard: a metric that was never sent is not a zero."""
    UNCOVERED = "uncovered"
    """Too much of the slice was silent for a sum to be complete, and what is missing may change the verdict."""
    UNSURE = "unsure"
    """Events whose slice, weight or band isn't known lie between good and bad."""
    NAMELESS = "nameless"
    """Telemetry that doesn't say which device (wave, hardware) it is of, where each is judged on its own."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the buckets hold of one key in one slice."""

    key: Key
    start: datetime
    events: float
    unweighted: int
    leaked: float
    """Events among them that may belong to the time before the slice."""
    cells: int
    first: datetime
    """The first minute that it was heard in; by it what exclusions take out is known."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum that is somewhere in ``[low, high]``."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Sums:
    """One entity in one slice."""

    numerator: Amount = Amount()
    denominator: Amount = Amount()
    told: bool = False
    """Whether anything was heard of the denominator: a metric that was never sent is not a zero."""
    cells: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, the interval that the value lies in, and why there is none if there is none."""

    verdict: Verdict
    low: float = math.nan
    high: float = math.nan
    reason: Reason | None = None


def slice_start(moment: datetime, length: timedelta) -> datetime:
    """Begin of the slice that a moment lies in."""
    return MONDAY + (moment - MONDAY) // length * length


def cell_of(length: timedelta) -> timedelta:
    """Length of the cells by which a slice's coverage is counted: a sixth of it, five to fifteen minutes."""
    sixth = timedelta(minutes=length / CELL_SHARE // timedelta(minutes=1))
    return min(length, max(CELL_MIN, min(CELL_MAX, sixth)))


def due_slices(
    hours: Iterable[datetime], span: tuple[datetime, datetime], oldest: datetime, length: timedelta
) -> list[datetime]:
    """Begins of the slices to judge: those of ``span``, and older ones that a touched hour is part of; ended ones only.

    ``span`` ends where the slice begins that has not ended yet; ``oldest`` is how far back anything is judged.
    """
    lo, end = span
    found = {lo + i * length for i in range(max(0, (end - lo) // length))}
    for hour in hours:
        start = slice_start(hour, length)
        while start < hour + timedelta(hours=1):
            if oldest <= start < end:
                found.add(start)
            start += length
    return sorted(found)


def spans(starts: Sequence[datetime], length: timedelta, longest: timedelta) -> list[tuple[datetime, datetime]]:
    """Neighbouring slices joined to spans, none longer than ``longest`` or one slice."""
    out: list[tuple[datetime, datetime]] = []
    for start in starts:
        if out and out[-1][1] == start and start + length - out[-1][0] <= longest:
            out[-1] = (out[-1][0], start + length)
        else:
            out.append((start, start + length))
    return out


# --- sums


def rule_of(slo: Slo) -> SliceRule:
    """The rule of an SLO that has one.

    Raises:
        ValueError: it has none.
    """
    if slo.sli.slices is None:
        raise ValueError(f"SLO {slo.name} has no rule for slices")
    return slo.sli.slices


def names_of(slo: Slo) -> tuple[str, ...]:
    """What tells the entities of an SLO's rule apart, beside its service."""
    return tuple(name for name in dict.fromkeys((*rule_of(slo).per, *slo.by)) if name != "service")


def sums_of(slo: Slo, told: Iterable[Told]) -> dict[tuple[Entity, datetime], Sums]:
    """Numerator and denominator of each entity and slice, by the matchers that evaluation uses."""
    rule, names = rule_of(slo), names_of(slo)
    found: dict[tuple[Entity, datetime], Sums] = {}
    for one in told:
        top, bottom = _amount(rule.numerator, one), _amount(rule.denominator, one)
        if (top is None and bottom is None) or one.key.get("service") != slo.service:
            continue
        place = tuple(one.key.get(name) for name in names), one.start
        before = found.get(place, Sums())
        found[place] = Sums(
            before.numerator + (top or Amount()),
            before.denominator + (bottom or Amount()),
            before.told or bottom is not None,
            # Keys of one entity are exported together: the best of them tells how far it was heard.
            max(before.cells, one.cells),
        )
    return found


def kept_of(told: Iterable[Told], gone: Callable[[Told], bool]) -> list[Told]:
    """What is left of each key and slice, as one, where some pieces of it don't count.

    The first increase after time that doesn't count may belong to it. A cell that its edge cuts is heard if either part is.
    """
    found: dict[tuple[Key, datetime], Told] = {}
    for one in told:
        if gone(one):
            continue
        place = one.key, one.start
        before = found.get(place)
        found[place] = one if before is None else _joined(before, one)
    return list(found.values())


def _joined(a: Told, b: Told) -> Told:
    sums = a.events + b.events, a.unweighted + b.unweighted, a.leaked + b.leaked, a.cells + b.cells
    return Told(a.key, a.start, *sums, min(a.first, b.first))


def _amount(selectors: Sequence[Selector], one: Told) -> Amount | None:
    """What a key adds to a sum; None if it is not selected."""
    held = selected(selectors, one.key)
    if held is False:
        return None
    low = max(0.0, one.events - one.leaked) if held else 0.0
    return Amount(low, math.inf if one.unweighted else one.events)


# --- verdicts


def judge_slice(rule: SliceRule, sums: Sums) -> Judged:
    """The verdict on an ended slice in which an entity was heard.

    A ratio of something and nothing is infinite: a device that takes data in and uploads none reduces it without limit.
    Nothing over nothing is no ratio. A sum can only be too small by what was not heard, so being over a limit is certain early.
    """
    if rule.denominator:
        return _of_ratio(rule, sums)
    exported = any(s.source in EXPORTED for s in rule.numerator)
    known = not exported or sums.cells * cell_of(rule.length) >= COVERED_MIN * rule.length
    low, high = sums.numerator.low, sums.numerator.high if known else math.inf
    found = _side(rule, low, high)
    return Judged(found, low, high, None if found is not Verdict.UNKNOWN else _why(rule, sums, known))


def _why(rule: SliceRule, sums: Sums, known: bool) -> Reason:
    """Of an unknown sum: whether more telemetry would have told."""
    own = _side(rule, sums.numerator.low, sums.numerator.high)
    return Reason.UNSURE if known or own is Verdict.UNKNOWN else Reason.UNCOVERED


def _of_ratio(rule: SliceRule, sums: Sums) -> Judged:
    top, bottom = sums.numerator, sums.denominator
    if not sums.told:
        return Judged(Verdict.UNKNOWN, reason=Reason.PARTIAL)
    if top.high == 0 and bottom.high == 0:
        return Judged(Verdict.UNKNOWN, reason=Reason.IDLE)
    if top.low == 0 and bottom.low == 0:
        # Perhaps nothing over nothing, perhaps anything.
        return Judged(Verdict.UNKNOWN, reason=Reason.UNSURE)
    low, high = _quotient(top.low, bottom.high), _quotient(top.high, bottom.low)
    found = _side(rule, low, high)
    return Judged(found, low, high, Reason.UNSURE if found is Verdict.UNKNOWN else None)


def _quotient(top: float, bottom: float) -> float:
    return top / bottom if bottom else math.inf


def _side(rule: SliceRule, low: float, high: float) -> Verdict:
    """Good or bad if both ends of the interval are: the four comparisons are monotone."""
    ends = {OPS[rule.op](value, rule.threshold) for value in (low, high)}
    if len(ends) > 1:
        return Verdict.UNKNOWN
    return Verdict.GOOD if ends.pop() else Verdict.BAD


def events_of(rule: SliceRule, judged: Judged) -> list[tuple[Verdict, Reason | None, float]]:
    """A slice as events: one, by its verdict; or shares of one, by its ratio (``lte`` and ``lt``: the ratio is the bad part)."""
    if rule.mode == "verdict" or math.isnan(judged.low):
        return [(judged.verdict, judged.reason, 1.0)]
    low, high = (min(1.0, max(0.0, value)) for value in (judged.low, judged.high))
    if rule.op in ("lte", "lt"):
        low, high = 1 - high, 1 - low
    # A share of a slice, not compared with anything: rounded so that a re-run writes the same.
    parts = [(Verdict.GOOD, None, low), (Verdict.BAD, None, 1 - high), (Verdict.UNKNOWN, Reason.UNSURE, high - low)]
    return [(verdict, reason, round(share, 9)) for verdict, reason, share in parts if round(share, 9) > 0]


# --- what was expected


def inventory_tells(slo: Slo) -> bool:
    """Whether the inventory knows every entity of a rule; else entities are expected between their first and their last data."""
    return set(names_of(slo)) <= set(OF_NODES)


def expected(slo: Slo, nodes: Iterable[Node], start: datetime) -> dict[Entity, set[str]]:
    """Entities that should be heard in a slice, with the devices that make each of them up."""
    found: dict[Entity, set[str]] = {}
    for node in nodes:
        if node.service == slo.service and node.since <= start and _asked(slo, node):
            known = {"region": node.region, "gateway": node.gateway, "device": node.device}
            found.setdefault(tuple(known[name] for name in names_of(slo)), set()).add(node.device)
    return found


def _asked(slo: Slo, node: Node) -> bool:
    """Whether any selector takes telemetry of a node, as far as the inventory knows the node."""
    rule = rule_of(slo)
    known = {"service": node.service, "region": node.region, "gateway": node.gateway, "device": node.device}
    key = Key("", tuple(known.get(name, "") for name in DIMENSIONS), "")

    def met(matchers: Sequence[Matcher]) -> bool:
        return all(holds(m, key) for m in matchers if m.name in known)

    return met(slo.where) and any(met(s.where) for s in rule.numerator + rule.denominator)


def unheard(slo: Slo, nodes: Sequence[Node], start: datetime, heard: Collection[Entity]) -> list[Entity]:
    """Expected entities that were not heard in a slice. A device that another gateway delivered was heard."""
    names = names_of(slo)
    roaming = {e[names.index("device")] for e in heard} if "device" in names else set()
    return sorted(
        entity
        for entity, devices in expected(slo, nodes, start).items()
        if entity not in heard and not devices <= roaming
    )


def nameless(slo: Slo, entity: Entity) -> bool:
    """Whether an entity lacks the name of a detail that it is told apart by."""
    return any(name in DETAIL and not value for name, value in zip(names_of(slo), entity, strict=True))


def gaps(
    heard: Collection[datetime], before: datetime | None, after: datetime | None, length: timedelta
) -> list[datetime]:
    """Slices without data between an entity's data; ``before`` and ``after``: the nearest slices with data around ``heard``."""
    known = sorted({*heard, *(at for at in (before, after) if at)})
    if not known:
        return []
    count = (known[-1] - known[0]) // length
    held = set(known)
    return [at for i in range(count) if (at := known[0] + i * length) not in held]


def named(slo: Slo, entity: Entity) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """An entity as dimensions and as attributes of a bucket row."""
    pairs = list(zip(names_of(slo), entity, strict=True))
    dimensions = {"service": slo.service, **{k: v for k, v in pairs if k in DIMENSIONS}}
    return dimensions, {k: v for k, v in pairs if k not in DIMENSIONS}
