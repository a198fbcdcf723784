"""What is true of a history: plain Python over the deliveries, nothing of the engine. docs/telemetry.md, docs/time.md,
docs/statistics.md and the README are what it was written from.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from oracle_histories import DAY, HOUR, MINUTE, MS, SPACE, Delivery, World, randomness

BRIDGE = 5 * MINUTE
RAW_KEPT = 39 * DAY
WAIT = DAY
FINEST = 6
"""Histograms are kept at no finer scale than this; at scale 5 and finer a bucket has a side of the cut of its own."""
LATENCY_CUT, SCORE_CUT, CPU_CUT, SPEED_CUT, LAG_CUT_S = 0.1, 0.5, 0.8, 0.2, 3600.0
SCORE_BOUNDS = (0.1, 0.25, 0.5, 0.75, 0.9)
Outcome = str


@dataclass(frozen=True)
class Event:
    """Something that happened in a minute and counts for one SLO: so much, as good, bad or unknown."""

    slo: str
    version: str
    device: str
    at: datetime
    outcome: Outcome
    amount: float
    square: float
    bridged: float = 0.0
    shifted: float = 0.0


@dataclass(frozen=True)
class Item:
    """A delivery that counts, at its true time."""

    made: Delivery
    at: datetime
    shift: int


Emit = Iterator[Event]


def trusted(deliveries: Iterable[Delivery], world: World) -> list[Item]:
    """What counts at all, put right where a clock is known to be off."""
    held = {(q.gateway, q.since): q for _, q in world.quarantines}.values()
    out = []
    for d in deliveries:
        if any(q.gateway == d.gateway and q.since <= d.ingested < q.until and not q.lifted for q in held):
            continue
        shift = next(
            (o.ms for o in world.clocks if o.device == d.device and o.since <= d.received < o.until),
            0,
        )
        out.append(Item(d, d.at + shift * MS, shift))
    return out


def events_of(deliveries: Iterable[Delivery], world: World, now: datetime) -> list[Event]:
    """Everything that counts for any SLO, as known at the last tick."""
    by_kind: dict[str, list[Item]] = defaultdict(list)
    for item in trusted(deliveries, world):
        by_kind[item.made.kind].append(item)
    out: list[Event] = []
    for kind, tell in _TELLERS.items():
        if by_kind[kind]:
            out += tell(by_kind[kind])
    return out + list(_predictions(by_kind["prediction"], by_kind["label"], now))


# --- counters and histograms


@dataclass(frozen=True)
class Step:
    """A point and the one of its series that its increase is counted from."""

    item: Item
    before: Item | None
    known: bool
    """Whether it can be said what came since: the point before is there, or the series began when points were still kept."""
    bridges: bool

    @property
    def new_values(self) -> Sequence[float]:
        values = self.item.made.values
        return values[len(self.before.made.values) :] if self.before else values


def steps(items: Iterable[Item], fell: Callable[[Delivery, Delivery], bool]) -> Iterator[Step]:
    """Each (series, start, time) once, however often it was delivered; each after the one before it in its process's life."""
    runs: dict[object, dict[object, Item]] = defaultdict(dict)
    for item in items:
        # A clock that is set back shows the same times again.
        runs[item.made.series, item.made.start][item.made.at, item.shift] = item
    for run in runs.values():
        before: Item | None = None
        for item in sorted(run.values(), key=lambda i: i.at):
            made = item.made
            start = made.start + item.shift * MS
            follows = before is not None and not made.delta
            bridges = (before.at if follows and before else start) < item.at - BRIDGE
            reset = before is not None and fell(made, before.made)
            known = made.delta or before is not None or start >= item.at - RAW_KEPT
            yield Step(item, None if made.delta or reset else before, known, bridges)
            before = item


def _counters(items: list[Item]) -> Emit:
    for step in steps(items, lambda now, before: now.value < before.value):
        made = step.item.made
        amount = made.value - (step.before.made.value if step.before else 0.0) if step.known else 0.0
        outcome = {"success": "good", "failure": "bad"}.get(made.get("edge.inference.outcome"), "unknown")
        yield _counted("requests", step, outcome, amount)


def _counted(slo: str, step: Step, outcome: Outcome, amount: float) -> Event:
    made = step.item.made
    bridged, shifted = amount * step.bridges, amount * (step.item.shift != 0)
    return Event(slo, made.version, made.device, step.item.at, outcome, amount, amount, bridged, shifted)


def fewer(now: Delivery, before: Delivery) -> bool:
    return len(now.values) < len(before.values)


def _durations(items: list[Item]) -> Emit:
    for step in steps(items, fewer):
        if step.known:
            scale = scale_of(step)
            for value in step.new_values:
                yield _counted("latency", step, _side(value, scale), 1.0)


def scale_of(step: Step) -> int:
    """Of the difference of two points: the coarser one's."""
    return min(FINEST, step.item.made.scale, step.before.made.scale if step.before else FINEST)


def _side(value: float, scale: int) -> Outcome:
    """Which side of the cut a value's bucket lies on. A wide bucket that the cut divides lies on neither."""
    index = math.ceil(math.log2(value) * 2**scale) - 1
    low, high = 2 ** (index / 2**scale), 2 ** ((index + 1) / 2**scale)
    if scale >= 5:
        return "good" if math.sqrt(low * high) <= LATENCY_CUT else "bad"
    if high <= LATENCY_CUT:
        return "good"
    return "bad" if low >= LATENCY_CUT else "unknown"


def _scores(items: list[Item]) -> Emit:
    for step in steps(items, fewer):
        if step.known:
            for value in step.new_values:
                yield _counted("score", step, "good" if value > SCORE_CUT else "bad", 1.0)


def latencies(deliveries: Iterable[Delivery], world: World) -> dict[str, list[tuple[datetime, float, int]]]:
    """By version: when each request was told of, how long it took, and at which scale that was kept."""
    out: dict[str, list[tuple[datetime, float, int]]] = defaultdict(list)
    points = [i for i in trusted(deliveries, world) if i.made.kind == "exponential"]
    for step in steps(points, fewer):
        if step.known:
            out[step.item.made.version] += [(step.item.at, value, scale_of(step)) for value in step.new_values]
    return out


# --- gauges


def _gauges(items: list[Item]) -> Emit:
    """Seconds since the point before, up to five minutes of them; none after an hour, when nobody knows what was."""
    runs: dict[object, dict[object, Item]] = defaultdict(dict)
    for item in items:
        runs[item.made.series][item.made.at, item.shift] = item
    for run in runs.values():
        before: datetime | None = None
        for item in sorted(run.values(), key=lambda i: i.at):
            seconds = heard_s(before, item.at)
            outcome = "good" if item.made.value <= CPU_CUT else "bad"
            shifted = seconds * (item.shift != 0)
            yield Event("cpu", "", item.made.device, item.at, outcome, seconds, seconds, 0.0, shifted)
            before = item.at


def heard_s(before: datetime | None, at: datetime) -> float:
    gap = at - before if before is not None else DAY
    return min(gap, BRIDGE).total_seconds() if gap <= HOUR else 0.0


def covered(deliveries: Iterable[Delivery], world: World) -> list[tuple[datetime, float]]:
    """When a node's requests were told of, and for how many seconds that accounts: whatever it runs, a node is one node."""
    heard: dict[str, set[datetime]] = defaultdict(set)
    for item in trusted(deliveries, world):
        if item.made.kind == "sum":
            heard[item.made.device].add(item.at)
    out = []
    for moments in heard.values():
        ordered = sorted(moments)
        for before, at in zip([None, *ordered], ordered):  # noqa: B905
            out.append((at, heard_s(before, at)))
    return out


# --- spans, events


def _spans(items: list[Item]) -> Emit:
    """A span is one however often it came; attempts of one request are one request, by the last one's outcome."""
    once = {i.made.ident: i for i in items}.values()
    requests: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in once:
        requests[item.made.device, item.made.request].append(item)
        yield _weighed("spans", item, item.at, _OUTCOMES.get(item.made.get("outcome"), ""))
    for attempts in requests.values():
        ordered = sorted(attempts, key=lambda i: i.made.at)
        first, last = ordered[0], ordered[-1]
        end = max(i.made.at + timedelta(seconds=i.made.lasted_s) for i in ordered)
        outcome = _OUTCOMES.get(last.made.get("outcome"), "unknown")
        begin = min(i.at for i in ordered)
        yield _weighed("tries", last, begin, outcome)
        yield _weighed("speed", last, begin, "good" if (end - first.made.at).total_seconds() <= SPEED_CUT else "bad")


_OUTCOMES = {"ok": "good", "error": "bad"}


def weight_of(threshold: str) -> float | None:
    """2^56 / (2^56 - T); None without a threshold: never 1."""
    return SPACE / (SPACE - int(threshold.ljust(14, "0"), 16)) if threshold else None


def _weighed(slo: str, item: Item, at: datetime, outcome: Outcome, weight: float | None = None) -> Event:
    made = item.made
    weight = weight_of(made.threshold) if weight is None else weight
    if weight is None:
        # Of unknown weight: one that nobody can tell, whatever it says; where it would count for nothing, it still doesn't.
        return Event(slo, made.version, made.device, at, "unknown" if outcome else "", 1.0, 0.0)
    return Event(slo, made.version, made.device, at, outcome, weight, weight**2, 0.0, weight * (item.shift != 0))


def _logs(items: list[Item]) -> Emit:
    """The same record twice is one."""
    for item in {(i.made.name, i.made.device, i.made.version, i.made.at): i for i in items}.values():
        outcome = "good" if item.made.name == "edge.model.loaded" else "bad"
        yield _weighed("loads", item, item.at, outcome, 1.0)


# --- predictions


def _predictions(items: list[Item], labels: list[Item], now: datetime) -> Emit:
    """Each prediction once, at its own time, judged by the label that holds."""
    firsts: dict[str, Item] = {}
    for item in sorted(items, key=lambda i: (i.at, i.made.gateway, i.made.ingested)):
        firsts.setdefault(item.made.ident, item)
    given: dict[str, list[Item]] = defaultdict(list)
    for label in labels:
        given[label.made.ident].append(label)
    for item in firsts.values():
        made = item.made
        truth, lag_s = _known(item, given[made.ident])
        said = made.get("label")
        verdict = ("good" if truth == said else "bad") if truth and said else "unknown"
        weight = (
            None if made.threshold and randomness(made.ident) < _digits(made.threshold) else weight_of(made.threshold)
        )
        yield _predicted("accuracy", item, verdict, weight)
        age_s = (now - item.at).total_seconds()
        if lag_s is None:
            yield _predicted("lag", item, "bad" if age_s >= LAG_CUT_S else "unknown", weight)
        else:
            yield _predicted("lag", item, "good" if lag_s <= LAG_CUT_S else "bad", weight)


def _digits(threshold: str) -> int:
    return int(threshold.ljust(14, "0"), 16)


def _predicted(slo: str, item: Item, outcome: Outcome, weight: float | None) -> Event:
    if weight is None:
        return Event(slo, item.made.version, item.made.device, item.at, "unknown" if outcome else "", 1.0, 0.0)
    return _weighed(slo, item, item.at, outcome, weight)


def _known(item: Item, labels: list[Item]) -> tuple[str, float | None]:
    """Truth, and seconds until the first label: the latest label holds, of several of one time the one that came in last."""
    own = item.made.get("truth")
    if not labels:
        return own, 0.0 if own else None
    came: dict[tuple[datetime, str], datetime] = {}
    for label in labels:
        key = (label.at, label.made.get("truth"))
        came[key] = min(label.made.ingested, came.get(key, label.made.ingested))
    *_, truth = max((at, first, truth) for (at, truth), first in came.items())
    lag = max(0.0, (min(at for at, _ in came) - item.at).total_seconds())
    return truth, 0.0 if own else lag


_TELLERS: dict[str, Callable[[list[Item]], Emit]] = {
    "sum": _counters,
    "exponential": _durations,
    "explicit": _scores,
    "gauge": _gauges,
    "span": _spans,
    "log": _logs,
}


# --- windows


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def left_out(event: Event, world: World) -> bool:
    """Whether it happened in time that does not count."""
    at = minute(event.at)
    for rule in world.excluded:
        if rule.version != event.version:
            continue
        if not rule.daily and rule.start <= at < rule.start + rule.length:
            return True
        if rule.daily and at >= rule.start and (at - rule.start) % DAY < rule.length:
            return True
    return False


@dataclass
class Sums:
    """Of one slice in one window."""

    good: float = 0.0
    bad: float = 0.0
    unknown: float = 0.0
    good_squares: float = 0.0
    bad_squares: float = 0.0
    bridged: float = 0.0
    shifted: float = 0.0

    def add(self, event: Event) -> None:
        if not event.outcome:
            return
        setattr(self, event.outcome, getattr(self, event.outcome) + event.amount)
        if event.outcome != "unknown":
            name = f"{event.outcome}_squares"
            setattr(self, name, getattr(self, name) + event.square)
            self.bridged += event.bridged
            self.shifted += event.shifted


def bounds(at: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """First and last minute of the window that ends at ``at``: whole minutes, and the one that has just begun."""
    return minute(minute(at) - length), minute(at)
