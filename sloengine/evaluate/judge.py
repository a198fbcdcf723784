"""From sums per dimensions to the status of each slice of an SLO. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sloengine.evaluate.burn import budget_remaining, error_ratio, read_burns
from sloengine.model import BurnReading, Counts, Group, Node, Slo, State, Status
from sloengine.times import format_duration

STALE_AFTER = timedelta(minutes=5)
"""A slice whose newest minute is older than this is stale: its numbers are of the past and say so."""


@dataclass(frozen=True, slots=True)
class Sums:
    """One combination of dimensions: its counts per window and the newest minute that holds data."""

    dimensions: Mapping[str, str]
    by_window: Mapping[timedelta, Counts]
    last: datetime


def judge(slo: Slo, sums: Iterable[Sums], nodes: Sequence[Node], at: datetime) -> list[Status]:
    """Status of every slice that has data, or that the inventory says should have."""
    groups: dict[Group, list[Sums]] = {group: [] for group in _expected_groups(slo, nodes)}
    for item in sums:
        if item.dimensions["service"] == slo.service:
            groups.setdefault(_group_of(slo, item.dimensions), []).append(item)
    return [_status(slo, group, groups[group], nodes, at) for group in sorted(groups)]


def _group_of(slo: Slo, dimensions: Mapping[str, str]) -> Group:
    return tuple((name, dimensions[name]) for name in slo.by)


def _expected_groups(slo: Slo, nodes: Sequence[Node]) -> set[Group]:
    """Slices that must exist even if nothing was ever sent; only where the inventory can tell all their dimensions."""
    if not set(slo.by) <= {"service", "region", "gateway"}:
        return set()
    mine = [n for n in nodes if n.service == slo.service]
    return {tuple((name, _of_node(node, name)) for name in slo.by) for node in mine}


def _of_node(node: Node, dimension: str) -> str:
    return {"service": node.service, "region": node.region, "gateway": node.gateway}[dimension]


def _status(slo: Slo, group: Group, items: Sequence[Sums], nodes: Sequence[Node], at: datetime) -> Status:
    windows = {span for item in items for span in item.by_window}
    by_window = {span: _total(item.by_window[span] for item in items) for span in windows}
    counts = by_window.get(slo.window, Counts())
    burns = read_burns(slo, by_window)
    age = at - max(item.last for item in items) if items else None
    remaining = budget_remaining(counts, slo.target)
    state, reason = _state(slo, counts, remaining, burns, age)
    ratio = error_ratio(counts)
    return Status(
        slo=slo,
        group=group,
        at=at,
        state=state,
        sli=None if ratio is None else 1 - ratio,
        counts=counts,
        coverage=_coverage(slo, group, counts, nodes, at),
        budget_remaining=remaining,
        burns=burns,
        reason=reason,
        since_last_data=age,
        versions=_versions(slo, items),
    )


def _versions(slo: Slo, items: Sequence[Sums]) -> tuple[tuple[str, Counts], ...]:
    """Counts of the shortest alert window by model version, most bad first."""
    shortest = min(pair.short for pair in slo.policy.windows)
    found: dict[str, Counts] = {}
    for item in items:
        version = item.dimensions["version"]
        found[version] = found.get(version, Counts()) + item.by_window.get(shortest, Counts())
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1].bad, pair[0])))


def _total(parts: Iterable[Counts]) -> Counts:
    return sum(parts, Counts())


def _state(
    slo: Slo, counts: Counts, remaining: float | None, burns: Sequence[BurnReading], age: timedelta | None
) -> tuple[State, str]:
    if age is None:
        return State.STALE, "nothing was ever received"
    if any(b.exceeded for b in burns):
        return State.BURNING, _burn_reason(burns)
    if age > STALE_AFTER:
        return State.STALE, f"newest data is {format_duration(timedelta(seconds=int(age.total_seconds())))} old"
    if counts.valid == 0 or remaining is None:
        return State.NO_TRAFFIC, f"no valid events in {format_duration(slo.window)}"
    if remaining <= 0:
        return State.EXHAUSTED, f"{abs(remaining):.0%} over the budget of {format_duration(slo.window)}"
    return State.OK, f"{remaining:.0%} of the budget left"


def _burn_reason(burns: Iterable[BurnReading]) -> str:
    worst = max((b for b in burns if b.exceeded), key=lambda b: b.factor)
    return (
        f"burning {worst.long_burn:.1f}x over {format_duration(worst.window.long)} and {worst.short_burn:.1f}x over"
        f" {format_duration(worst.window.short)}, limit {worst.factor:.1f}x"
    )


def _coverage(slo: Slo, group: Group, counts: Counts, nodes: Sequence[Node], at: datetime) -> float | None:
    """Covered over expected node-seconds. Expected are the inventory's nodes of the slice, each since it is listed."""
    wanted = {name: value for name, value in group if name in ("region", "gateway")}
    expected = sum(
        max(0.0, (min(slo.window, at - node.since)).total_seconds())
        for node in nodes
        if node.service == slo.service and all(_of_node(node, k) == v for k, v in wanted.items())
    )
    return min(1.0, counts.covered_s / expected) if expected else None
