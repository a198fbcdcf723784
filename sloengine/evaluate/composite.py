"""Composite objectives: burn and budget of several SLOs as one, by weight. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sloengine.model import BurnReading, BurnWindow, Component, Counts, Group, Slo, State, Status
from sloengine.times import format_duration

GRAVITY = (State.BROKEN, State.NO_TRAFFIC, State.STALE)
"""States without an answer, the gravest first."""
Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One component in one group."""

    weight: float
    status: Status

    @property
    def burn(self) -> float | None:
        """Over the whole window: spent over allowed."""
        left = self.status.budget_remaining
        return None if left is None or self.status.state is State.BROKEN else 1 - left

    @property
    def name(self) -> str:
        return self.status.slo.name


def compose(slo: Slo, parts: Sequence[Status]) -> list[Status]:
    """Statuses of a composite, one for each combination of its ``by`` that every component has.

    ``parts`` may hold other SLOs' too. With weights w and the components' burns b (bad ratio over allowed ratio, so promises of
    different strictness compare), burn is Σ w·b / Σ w over each alert window, and so is spent/allowed over the window; budget
    remaining is 1 less that. The SLI is what the composite's own target makes of it: 1 − burn·(1 − target), so below target means
    overspent. A component with fewer dimensions counts in all groups that agree with it; of one with more the worst slice counts.

    An alert is sure where some component is over the factor itself, and every component that is, is surely so: less than an
    interval of the mean, which a component's status doesn't tell.

    Three values: where a component has no figure the composite has none either, and its reason names who is missing. Where no
    group is common to all components, that is one status without a group; without any status at all there is nothing to say.
    """
    if not parts:
        return []
    wanted = [_Indexed(slo, c, [s for s in parts if s.slo.name == c.slo]) for c in slo.components]
    groups = _groups(slo, wanted)
    if groups:
        return [_composed(slo, group, [item.part(group) for item in wanted]) for group in groups]
    at = max(status.at for status in parts)
    missing = [item.component.slo for item in wanted if not item.statuses]
    reason = f"no figures of {', '.join(missing)}" if missing else "no slice is common to all components"
    known = [_Part(i.component.weight, min(i.statuses, key=_health)) for i in wanted if i.statuses]
    unknown = [part for part in known if part.burn is None]
    return [_unknown(slo, (), at, known, unknown, reason=reason)]


# --- groups


class _Indexed:
    """A component's statuses by their values of the composite's dimensions."""

    def __init__(self, slo: Slo, component: Component, statuses: Sequence[Status]) -> None:
        self.component, self.statuses = component, statuses
        places = [dict(status.group) for status in statuses]
        self.names = tuple(name for name in slo.by if places and all(name in place for place in places))
        self.worst: dict[Values, Status] = {}
        for status, place in zip(statuses, places, strict=True):
            values = tuple(place[name] for name in self.names)
            held = self.worst.get(values)
            self.worst[values] = status if held is None else min(held, status, key=_health)

    def part(self, group: Group) -> _Part:
        place = dict(group)
        return _Part(self.component.weight, self.worst[tuple(place[name] for name in self.names)])


def _health(status: Status) -> tuple[bool, float]:
    """Sorts the worst first; no figure is worse than any."""
    left = status.budget_remaining
    known = left is not None and status.state is not State.BROKEN
    return known, left or 0.0


def _groups(slo: Slo, wanted: Iterable[_Indexed]) -> list[Group]:
    """Combinations of the composite's dimensions that every component has a slice for."""
    found: list[dict[str, str]] = [{}]
    for item in wanted:
        told = found[0] if found else {}
        common = [name for name in item.names if name in told]
        index: dict[Values, list[dict[str, str]]] = {}
        for values in item.worst:
            place = dict(zip(item.names, values, strict=True))
            index.setdefault(tuple(place[name] for name in common), []).append(place)
        found = [held | place for held in found for place in index.get(tuple(held[name] for name in common), ())]
    whole = [held for held in found if set(held) == set(slo.by)]
    return sorted(tuple((name, held[name]) for name in slo.by) for held in whole)


# --- figures


def _composed(slo: Slo, group: Group, parts: Sequence[_Part]) -> Status:
    at = max(part.status.at for part in parts)
    burn = _mean((part.weight, part.burn) for part in parts)
    if burn is None:
        return _unknown(slo, group, at, parts, [part for part in parts if part.burn is None])
    burns = tuple(_reading(slo, pair, parts) for pair in slo.policy.windows)
    state, reason = _said(slo, burn, burns, parts)
    ages = [p.status.since_last_data for p in parts if p.status.since_last_data is not None]
    return Status(
        slo=slo,
        group=group,
        at=at,
        state=state,
        sli=1 - burn * (1 - slo.target),
        counts=Counts(),
        coverage=_least(parts),
        budget_remaining=1 - burn,
        burns=burns,
        reason=reason,
        since_last_data=max(ages, default=None),
        window_start=parts[0].status.window_start,
        window_end=parts[0].status.window_end,
        components=_told(parts),
    )


def _unknown(
    slo: Slo, group: Group, at: datetime, parts: Sequence[_Part], unknown: Sequence[_Part], *, reason: str = ""
) -> Status:
    states = [p.status.state for p in unknown if p.status.state in GRAVITY]
    state = min(states, key=GRAVITY.index, default=State.BROKEN if reason else State.NO_TRAFFIC)
    said = "; ".join([*([reason] if reason else []), *(f"{p.name} is unknown: {p.status.reason}" for p in unknown)])
    empty = Status(slo, group, at, state, None, Counts(), None, None, (), said)
    return replace(empty, components=_told(parts))


def _told(parts: Iterable[_Part]) -> tuple[tuple[str, float, float | None], ...]:
    return tuple((part.name, part.weight, part.burn) for part in parts)


def _mean(pairs: Iterable[tuple[float, float | None]]) -> float | None:
    """Weighted; None if any value is unknown."""
    weights = total = 0.0
    for weight, value in pairs:
        if value is None:
            return None
        weights, total = weights + weight, total + weight * value
    return total / weights if weights else None


def _least(parts: Iterable[_Part]) -> float | None:
    """The least covered component's coverage: the composite knows no more than it."""
    return min((p.status.coverage for p in parts if p.status.coverage is not None), default=None)


def _reading(slo: Slo, pair: BurnWindow, parts: Sequence[_Part]) -> BurnReading:
    found = [(part.weight, _same(pair, part.status.burns)) for part in parts]
    first = parts[0].status
    length = first.window_end - first.window_start if first.window_end and first.window_start else slo.window
    over = [reading for _, reading in found if reading and reading.over]
    return BurnReading(
        pair,
        pair.factor(length),
        _mean((weight, reading.long_burn if reading else None) for weight, reading in found),
        _mean((weight, reading.short_burn if reading else None) for weight, reading in found),
        sure=bool(over) and all(reading.sure for reading in over),
    )


def _same(pair: BurnWindow, burns: Iterable[BurnReading]) -> BurnReading | None:
    """A component's reading of the same two windows."""
    return next((b for b in burns if (b.window.long, b.window.short) == (pair.long, pair.short)), None)


def _said(slo: Slo, burn: float, burns: Sequence[BurnReading], parts: Sequence[_Part]) -> tuple[State, str]:
    worst = max(parts, key=lambda part: part.weight * (part.burn or 0))
    blame = f"; most of it by {worst.name}, which spent {worst.burn or 0:.0%} of its own"
    exceeded = [b for b in burns if b.exceeded]
    if exceeded:
        high = max(exceeded, key=lambda b: b.factor)
        return State.BURNING, _burning(high, parts)
    stale = [part for part in parts if part.status.state is State.STALE]
    if stale:
        return State.STALE, "; ".join(f"{part.name}: {part.status.reason}" for part in stale)
    if burn >= 1:
        return State.EXHAUSTED, f"{burn - 1:.0%} over the budget of {format_duration(slo.window)}{blame}"
    return State.OK, f"{1 - burn:.0%} of the budget left{blame if burn > 0 else ''}"


def _burning(high: BurnReading, parts: Sequence[_Part]) -> str:
    """The reading, and the component that burns most of it."""

    def share(part: _Part) -> float:
        reading = _same(high.window, part.status.burns)
        return part.weight * ((reading.long_burn if reading else None) or 0.0)

    worst = max(parts, key=share)
    own = f", {worst.status.reason}" if worst.status.state is State.BURNING else ""
    return (
        f"burning {high.long_burn:.1f}x over {format_duration(high.window.long)} and {high.short_burn:.1f}x over"
        f" {format_duration(high.window.short)}, limit {high.factor:.1f}x; most of it by {worst.name}{own}"
    )
