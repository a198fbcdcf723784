"""From sums per dimensions to the status of each slice of an SLO. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sloengine.evaluate.burn import budget_of, error_ratio, read_all_burns
from sloengine.evaluate.fleet import Spread, clustered_bounds
from sloengine.evaluate.interval import bad_ratio_bounds, effective_sizes
from sloengine.evaluate.measure import NOTHING, Batch, Measured, batch_of, window_of
from sloengine.evaluate.periods import Interval, bounds
from sloengine.evaluate.tally import Tally, numbers
from sloengine.model import BurnReading, Counts, Group, Node, Slo, State, Status
from sloengine.times import format_duration

STALE_AFTER = timedelta(minutes=5)
"""A slice whose newest minute is older than this is stale: its numbers are of the past and say so."""


Trust = tuple[tuple[float, float] | None, float, int]
"""Interval of an SLI, its effective sample size, and how many nodes that differ it allows for."""
CADENCE = {
    "drift.psi": timedelta(hours=3),
    "calibration.ece": timedelta(days=3),
    "retrain.step": timedelta(days=3),
    "rollout.devices": None,
}
"""Measures that come more slowly than minutes: twice their own step and the time it takes to judge it. An ended rollout is
not stale."""
WORST = 10
"""Nodes or sites that a status names."""


Absences = Mapping[Node, Sequence[Interval]]
"""When nodes were not expected to send."""
NEVER: Absences = {}


def judge(
    slo: Slo, measured: Iterable[Measured], nodes: Sequence[Node], at: datetime, absent: Absences = NEVER
) -> list[Status]:
    """Status of every slice that has data, or that the inventory says should have."""
    return judge_all([batch_of(slo, list(measured))], nodes, at, absent)


def judge_all(batches: Iterable[Batch], nodes: Sequence[Node], at: datetime, absent: Absences = NEVER) -> list[Status]:
    """:func:`judge` of many SLOs, one after the other: what is costly for one slice costs little more for all of them."""
    expected = Expected(nodes, at, absent)
    out: list[Status] = []
    for batch in batches:
        found = _judged(batch, expected, at)
        groups: dict[str, set[Group]] = {}
        for slo, group in zip(batch.slos, batch.groups, strict=True):
            groups.setdefault(slo.name, set()).add(group)
        silent = [
            status
            for slo in batch.listed
            for status in _silent(slo, expected.groups(slo) - groups.get(slo.name, set()), expected, at)
        ]
        if silent or len(batch.listed) == 1:
            place = {slo.name: number for number, slo in enumerate(batch.listed)}
            found = sorted(found + silent, key=lambda status: (place[status.slo.name], status.group))
        out += found
    return out


def _silent(slo: Slo, groups: Iterable[Group], expected: Expected, at: datetime) -> list[Status]:
    """Statuses of slices that nothing was ever heard of."""
    never = [Measured(group, Counts(), {}, None) for group in groups]
    return _judged(batch_of(slo, never), expected, at) if never else []


class Expected:
    """What the inventory says should send."""

    def __init__(self, nodes: Sequence[Node], at: datetime, absent: Absences = NEVER) -> None:
        self._at, self._absent = at, absent
        self._by_service: dict[str, list[Node]] = {}
        for node in nodes:
            self._by_service.setdefault(node.service, []).append(node)
        self._groups: dict[tuple[str, tuple[str, ...]], set[Group]] = {}
        self._seconds: dict[tuple[str, datetime, tuple[str, ...]], dict[tuple[str, ...], float]] = {}

    def groups(self, slo: Slo) -> set[Group]:
        """Slices that must exist even if nothing was ever sent; only where the inventory can tell all their dimensions."""
        key = slo.service, slo.by
        if key not in self._groups:
            told = set(slo.by) <= {"service", "region", "gateway", "device"}
            mine = self._by_service.get(slo.service, ()) if told else ()
            self._groups[key] = {tuple((name, _of_node(node, name)) for name in slo.by) for node in mine}
        return self._groups[key]

    def coverage(self, slo: Slo, group: Group, covered_s: float) -> float | None:
        """Covered over expected node-seconds. Expected are the inventory's nodes of the slice, each since it is listed, less
        the time that is excluded; in a calendar period only since it began."""
        if slo.service not in self._by_service:
            return None
        wanted = [pair for pair in group if pair[0] in ("region", "gateway", "device")]
        names = tuple(name for name, _ in wanted)
        start, _ = bounds(window_of(slo), self._at)
        key = slo.service, start, names
        if key not in self._seconds:
            self._seconds[key] = self._by_values(slo.service, start, names)
        expected = self._seconds[key].get(tuple(value for _, value in wanted), 0.0)
        return min(1.0, covered_s / expected) if expected else None

    def _by_values(self, service: str, start: datetime, names: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for node in self._by_service[service]:
            values = tuple(_of_node(node, name) for name in names)
            seconds = _expected_s(max(start, node.since), self._at, self._absent.get(node, ()))
            found[values] = found.get(values, 0.0) + seconds
        return found


def _expected_s(lo: datetime, hi: datetime, absent: Sequence[Interval]) -> float:
    away = sum(max(0.0, (min(hi, end) - max(lo, start)).total_seconds()) for start, end in absent)
    return max(0.0, (hi - lo).total_seconds() - away)


def _of_node(node: Node, dimension: str) -> str:
    return {"service": node.service, "region": node.region, "gateway": node.gateway, "device": node.device}[dimension]


def _judged(batch: Batch, expected: Expected, at: datetime) -> list[Status]:
    """Status of each slice of a batch, in its order."""
    if not batch.slos:
        return []
    start, end = bounds(window_of(batch.slos[0]), at)
    burns = read_all_burns(batch.slos, batch.tally, batch.spans, end - start, batch.within)
    windows = [replace(c, covered_s=s) if s else c for c, s in zip(batch.tally.column(0), batch.covered_s, strict=True)]
    parts = _parts(batch)
    trust = _trust(batch.tally, batch.spreads)
    of = at, start, end
    return [
        _status(of, batch, n, _Judged(window, burns[n], parts[n], trust[n], expected))
        for n, window in enumerate(windows)
    ]


def _parts(batch: Batch) -> list[list[tuple[float, Counts]]]:
    """Of each slice its window in parts of one target each; nothing where the target is the same throughout."""
    most = max(len(targets) for targets in batch.targets)
    columns = [batch.tally.column(1 + n) for n in range(most)]
    return [
        [(target, columns[part][n]) for part, target in enumerate(targets)] for n, targets in enumerate(batch.targets)
    ]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What was worked out of one slice together with the others."""

    window: Counts
    burns: tuple[BurnReading, ...]
    parts: list[tuple[float, Counts]]
    trust: Trust
    expected: Expected


def _status(of: tuple[datetime, datetime, datetime], batch: Batch, n: int, found: _Judged) -> Status:
    at, start, end = of
    slo, group, counts, burns = batch.slos[n], batch.groups[n], found.window, found.burns
    budget = budget_of(slo, found.parts or ((slo.target, counts),), end - start, _fastest(burns))
    last = batch.last[n]
    age = at - last if last else None
    remaining = budget.remaining if budget else None
    state, reason = _state(slo, counts, remaining, burns, age)
    ratio = error_ratio(counts)
    return Status(
        slo=slo,
        group=group,
        at=at,
        state=state,
        sli=None if ratio is None else 1 - ratio,
        counts=counts,
        coverage=found.expected.coverage(slo, group, counts.covered_s),
        budget_remaining=remaining,
        burns=burns,
        reason=reason,
        since_last_data=age,
        versions=_worst_first(batch.versions[n]),
        interval=found.trust[0],
        effective=found.trust[1],
        clustered=found.trust[2],
        budget=budget,
        window_start=start,
        window_end=end,
        excluded=batch.excluded[n],
        folded=batch.folded[n],
        units=_worst_units(batch.nodes.get(n, NOTHING)),
    )


def _worst_first(versions: Mapping[str, Counts]) -> tuple[tuple[str, Counts], ...]:
    if len(versions) < 2:
        return tuple(versions.items())
    return tuple(sorted(versions.items(), key=lambda pair: (-pair[1].bad, pair[0])))


def _worst_units(nodes: Mapping[str, Counts]) -> tuple[tuple[str, Counts], ...]:
    if not nodes:
        return ()
    return tuple(sorted(nodes.items(), key=lambda pair: (-(error_ratio(pair[1]) or 0), pair[0]))[:WORST])


def _fastest(burns: Sequence[BurnReading]) -> float | None:
    """Burn over the policy's shortest long window: how fast the budget goes now."""
    return min(burns, key=lambda b: b.window.long).long_burn if burns else None


def _trust(found: Tally, spreads: Mapping[int, Spread]) -> list[Trust]:
    """Of each: the SLI's interval, which is the bad ratio's turned around, None without valid events; its effective size; and the
    nodes that the interval allows for, 0 where events are taken to be independent."""
    good, bad, good_squares, bad_squares = (
        part[:, 0] for part in (found.good, found.bad, found.good_squares, found.bad_squares)
    )
    low, high = bad_ratio_bounds(good, bad, good_squares, bad_squares)
    sampled, valid = found.sampled[:, 0], good + bad
    sizes = numbers(valid)
    if sampled.any():
        weighed = effective_sizes(good, bad, good_squares, bad_squares).tolist()
        sizes = [weighed[n] if marked else size for n, (size, marked) in enumerate(zip(sizes, sampled, strict=True))]
    apart = [n for n in sorted(spreads) if valid[n]]
    if apart:
        low[apart], high[apart], fewer = clustered_bounds([spreads[n] for n in apart])
        for n, size in zip(apart, fewer.tolist(), strict=True):
            sizes[n] = size
    ends = zip((1 - high).tolist(), (1 - low).tolist(), strict=True)
    return [
        (pair if known else None, size, spreads[n].nodes if n in spreads and spreads[n].nodes > 1 else 0)
        for n, (pair, size, known) in enumerate(zip(ends, sizes, (valid != 0).tolist(), strict=True))
    ]


def stale_after(slo: Slo) -> timedelta | None:
    """Age of the newest data from which on a slice is stale; None: it never is."""
    if slo.sli.slices:
        return 2 * slo.sli.slices.length + STALE_AFTER
    slow = [CADENCE[s.measure] for s in slo.sli.selectors if s.measure in CADENCE]
    return slow[0] if slow else STALE_AFTER


def _state(
    slo: Slo, counts: Counts, remaining: float | None, burns: Sequence[BurnReading], age: timedelta | None
) -> tuple[State, str]:
    if age is None:
        return State.STALE, "nothing was ever received"
    if any(b.exceeded for b in burns):
        return State.BURNING, _burn_reason(slo, burns)
    if age > STALE_AFTER and (limit := stale_after(slo)) is not None and age > limit:
        return State.STALE, f"newest data is {format_duration(timedelta(seconds=int(age.total_seconds())))} old"
    if counts.valid == 0 or remaining is None:
        return State.NO_TRAFFIC, f"no valid events in {format_duration(slo.window)}"
    return _spent(slo, counts, remaining)


def _spent(slo: Slo, counts: Counts, remaining: float) -> tuple[State, str]:
    span = format_duration(slo.window)
    if slo.zero_tolerance:
        bad = f"{_many(counts.bad)} bad in {span}, where none is tolerated"
        return (State.EXHAUSTED, bad) if counts.bad else (State.OK, f"none bad in {span}")
    if remaining <= 0:
        return State.EXHAUSTED, f"{abs(remaining):.0%} over the budget of {span}"
    return State.OK, f"{remaining:.0%} of the budget left"


def _many(events: float) -> str:
    """Whole from a hundred on; below that a part of an event may be told."""
    return f"{events:,.0f}" if events >= 100 else f"{events:.3g}"


def _burn_reason(slo: Slo, burns: Iterable[BurnReading]) -> str:
    worst = max((b for b in burns if b.exceeded), key=lambda b: b.factor)
    if slo.zero_tolerance:
        return f"{_many(worst.long_burn or 0)} bad over {format_duration(worst.window.long)}, where none is tolerated"
    return (
        f"burning {worst.long_burn:.1f}x over {format_duration(worst.window.long)} and {worst.short_burn:.1f}x over"
        f" {format_duration(worst.window.short)}, limit {worst.factor:.1f}x"
    )
