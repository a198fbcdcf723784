"""From sums per dimensions to the status of each slice of an SLO. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from sloengine.evaluate.burn import budget_of, error_ratio, read_all_burns
from sloengine.evaluate.fleet import Spread, clustered_bounds
from sloengine.evaluate.interval import bad_ratio_bounds, effective_sizes
from sloengine.evaluate.measure import Measured, window_of
from sloengine.evaluate.periods import Interval, bounds
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
NEVER: Mapping[Node, Sequence[Interval]] = {}
WORST = 10
"""Nodes or sites that a status names."""


Absences = Mapping[Node, Sequence[Interval]]
"""When nodes were not expected to send."""


def judge(
    slo: Slo, measured: Iterable[Measured], nodes: Sequence[Node], at: datetime, absent: Absences = NEVER
) -> list[Status]:
    """Status of every slice that has data, or that the inventory says should have."""
    return judge_all([(slo, measured)], nodes, at, absent)


def judge_all(
    slos: Iterable[tuple[Slo, Iterable[Measured]]], nodes: Sequence[Node], at: datetime, absent: Absences = NEVER
) -> list[Status]:
    """:func:`judge` of many SLOs: what is costly for one slice costs little more for all of them."""
    by_service: dict[str, list[Node]] = {}
    for node in nodes:
        by_service.setdefault(node.service, []).append(node)
    slices = [
        (slo, item, by_service.get(slo.service, ()))
        for slo, measured in slos
        for item in _slices(slo, measured, by_service.get(slo.service, ()))
    ]
    lengths = {slo.name: bounds(window_of(slo), at) for slo, _, _ in slices}
    burns = read_all_burns((slo, item.spans, _length(lengths[slo.name])) for slo, item, _ in slices)
    trust = _trust([(item.window, item.spread) for _, item, _ in slices])
    return [
        _status((slo, at, lengths[slo.name]), item, (mine, absent), read, sure)
        for (slo, item, mine), read, sure in zip(slices, burns, trust, strict=True)
    ]


def _slices(slo: Slo, measured: Iterable[Measured], nodes: Sequence[Node]) -> list[Measured]:
    found = {item.group: item for item in measured}
    for group in _expected_groups(slo, nodes):
        found.setdefault(group, Measured(group, Counts(), {}, None))
    return [found[group] for group in sorted(found)]


def _length(window: Interval) -> timedelta:
    return window[1] - window[0]


def _expected_groups(slo: Slo, nodes: Sequence[Node]) -> set[Group]:
    """Slices that must exist even if nothing was ever sent; only where the inventory can tell all their dimensions."""
    if not set(slo.by) <= {"service", "region", "gateway", "device"}:
        return set()
    return {tuple((name, _of_node(node, name)) for name in slo.by) for node in nodes}


def _of_node(node: Node, dimension: str) -> str:
    return {"service": node.service, "region": node.region, "gateway": node.gateway, "device": node.device}[dimension]


def _status(
    of: tuple[Slo, datetime, Interval],
    item: Measured,
    expected: tuple[Sequence[Node], Absences],
    burns: tuple[BurnReading, ...],
    trust: Trust,
) -> Status:
    slo, at, (start, end) = of
    counts = item.window
    budget = budget_of(slo, item.parts or ((slo.target, counts),), end - start, _fastest(burns))
    age = at - item.last if item.last else None
    remaining = budget.remaining if budget else None
    state, reason = _state(slo, counts, remaining, burns, age)
    ratio = error_ratio(counts)
    return Status(
        slo=slo,
        group=item.group,
        at=at,
        state=state,
        sli=None if ratio is None else 1 - ratio,
        counts=counts,
        coverage=_coverage(slo, item.group, counts, expected, at),
        budget_remaining=remaining,
        burns=burns,
        reason=reason,
        since_last_data=age,
        versions=tuple(sorted(item.versions.items(), key=lambda pair: (-pair[1].bad, pair[0]))),
        interval=trust[0],
        effective=trust[1],
        clustered=trust[2],
        budget=budget,
        window_start=start,
        window_end=end,
        excluded=item.excluded,
        folded=item.folded,
        units=tuple(sorted(item.nodes.items(), key=lambda pair: (-(error_ratio(pair[1]) or 0), pair[0]))[:WORST]),
    )


def _fastest(burns: Sequence[BurnReading]) -> float | None:
    """Burn over the policy's shortest long window: how fast the budget goes now."""
    return min(burns, key=lambda b: b.window.long).long_burn if burns else None


def _trust(listed: Sequence[tuple[Counts, Spread | None]]) -> list[Trust]:
    """Of each: the SLI's interval, which is the bad ratio's turned around, None without valid events; its effective size; and the
    nodes that the interval allows for, 0 where events are taken to be independent."""
    sums = np.array([(c.good, c.bad, *c.squares) for c, _ in listed], dtype=np.float64).reshape(-1, 4).T
    low, high = bad_ratio_bounds(*sums)
    sizes = np.array([c.valid for c, _ in listed], dtype=np.float64)
    if any(c.sampled for c, _ in listed):
        sizes = np.where([c.sampled for c, _ in listed], effective_sizes(*sums), sizes)
    apart = [n for n, (c, spread) in enumerate(listed) if spread is not None and c.valid]
    if apart:
        low[apart], high[apart], sizes[apart] = clustered_bounds([s for n in apart if (s := listed[n][1])])
    ends = zip((1 - high).tolist(), (1 - low).tolist(), sizes.tolist(), strict=True)
    return [
        ((a, b) if c.valid else None, size, spread.nodes if spread else 0)
        for (c, spread), (a, b, size) in zip(listed, ends, strict=True)
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
    limit = stale_after(slo)
    if limit is not None and age > limit:
        return State.STALE, f"newest data is {format_duration(timedelta(seconds=int(age.total_seconds())))} old"
    if counts.valid == 0 or remaining is None:
        return State.NO_TRAFFIC, f"no valid events in {format_duration(slo.window)}"
    return _spent(slo, counts, remaining)


def _spent(slo: Slo, counts: Counts, remaining: float) -> tuple[State, str]:
    span = format_duration(slo.window)
    if slo.zero_tolerance:
        bad = f"{counts.bad:g} bad in {span}, where none is tolerated"
        return (State.EXHAUSTED, bad) if counts.bad else (State.OK, f"none bad in {span}")
    if remaining <= 0:
        return State.EXHAUSTED, f"{abs(remaining):.0%} over the budget of {span}"
    return State.OK, f"{remaining:.0%} of the budget left"


def _burn_reason(slo: Slo, burns: Iterable[BurnReading]) -> str:
    worst = max((b for b in burns if b.exceeded), key=lambda b: b.factor)
    if slo.zero_tolerance:
        return f"{worst.long_burn:g} bad over {format_duration(worst.window.long)}, where none is tolerated"
    return (
        f"burning {worst.long_burn:.1f}x over {format_duration(worst.window.long)} and {worst.short_burn:.1f}x over"
        f" {format_duration(worst.window.short)}, limit {worst.factor:.1f}x"
    )


def _coverage(
    slo: Slo, group: Group, counts: Counts, of: tuple[Sequence[Node], Absences], at: datetime
) -> float | None:
    """Covered over expected node-seconds: those of the inventory's nodes of the slice, each since it is listed, less the
    time that is excluded."""
    nodes, absent = of
    wanted = {name: value for name, value in group if name in ("region", "gateway", "device")}
    expected = sum(
        _expected_s(max(node.since, at - slo.window), at, absent.get(node, ()))
        for node in nodes
        if all(_of_node(node, k) == v for k, v in wanted.items())
    )
    return min(1.0, counts.covered_s / expected) if expected else None


def _expected_s(lo: datetime, hi: datetime, absent: Sequence[Interval]) -> float:
    away = sum(max(0.0, (min(hi, end) - max(lo, start)).total_seconds()) for start, end in absent)
    return max(0.0, (hi - lo).total_seconds() - away)
