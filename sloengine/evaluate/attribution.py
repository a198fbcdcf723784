"""What spent an error budget: the bad events of a window split by cause, from the evidence at hand. Pure.

Only bad events beyond what is normal can have a cause, and only where there is evidence of one in the same hour and the same
part of the fleet. Evidence is coincidence in place and time, tested by intervals; it is named with every part. The rest is
unexplained. docs/budgets.md says the rules for users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from sloengine.evaluate.cube import Cube
from sloengine.evaluate.evidence import (
    DAY_H,
    DRIFT,
    DRIVER,
    EVENTS_MIN,
    FRESHNESS,
    GAUGES,
    HISTORY_H,
    STEPS,
    Bools,
    Cause,
    Floats,
    Signal,
    Tally,
    Units,
    looked_at,
    normal,
    raised,
    signals_of,
    trailing,
    units_of,
    worse,
    worse_lately,
)
from sloengine.evaluate.periods import targets_between
from sloengine.model import Group, Slo, Source, Weighting

HOUR = timedelta(hours=1)
BRIDGED = "counters' increases across outages"
ROLLOUT_ID = "edge.rollout.id"
NAMED = 3
"""Findings that a part's evidence spells out."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One cause's part of the bad events."""

    cause: Cause
    bad: float
    share: float | None
    """Of the window's budget; None where the budget is not counted in events."""
    evidence: str
    hours: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who spent one slice's budget; the parts add up to ``bad`` exactly."""

    group: Group
    since: datetime
    until: datetime
    """End of the last hour."""
    bad: float
    allowed: float | None
    """Bad events that the target allows; None where the budget is not counted in events."""
    parts: tuple[Spent, ...]
    """In the order of ``Cause``; those that spent something, and always what is unexplained."""
    measured: Mapping[Cause, tuple[str, ...]]
    """What was looked at for each cause. Nothing: not measured, which is not the same as nothing found."""


@dataclass(frozen=True, slots=True)
class Purse:
    """A part of the budget and what was spent of it, both as shares of the whole budget."""

    share: float
    spent: float

    @property
    def left(self) -> float:
        """Share of this part that is left: 1 untouched, 0 spent, negative overspent."""
        return 1 - self.spent / self.share if self.share else (float("-inf") if self.spent else 0.0)


def attribute(slo: Slo, cube: Cube, since: datetime) -> dict[Group, Attribution]:
    """Every slice's bad events by cause. ``cube``: bands are whole hours, seven days of them before ``since``, with the measures
    of the SLO and those of ``EVIDENCE``. Slices beyond the cardinality budget are told apart here as all others."""
    units = units_of(slo, cube)
    window = np.array([hour >= since for hour in cube.cuts], dtype=bool)
    ledger = _Ledger(units, window)
    _blame_rollouts(ledger)
    _blame_hardware(ledger)
    _blame_circumstances(ledger, signals_of(slo, cube))
    measured = _measured(slo, units, looked_at(slo, cube))
    targets = _targets(slo, cube.cuts)
    return {
        g: _attribution(slo, g, ledger, (cube.cuts, targets, measured)) for g in sorted(dict.fromkeys(units.groups))
    }


# --- the ledger


@dataclass(frozen=True, slots=True)
class _Entry:
    cause: Cause
    rows: Bools
    taken: Floats
    """Shape (rows that are set, hours)."""
    said: str


@dataclass(slots=True)
class _Ledger:
    """Bad events that no cause has taken yet, and who took the others."""

    units: Units
    window: Bools
    left: Floats = field(init=False)
    entries: list[_Entry] = field(default_factory=list)
    present: list[tuple[Cause, Bools, Bools]] = field(default_factory=list)
    """Where (rows) and when (hours) there was evidence, whether or not it took anything."""

    def __post_init__(self) -> None:
        self.left = self.units.tally.bad.copy()

    def remaining(self, rows: Bools) -> Tally:
        return self.units.tally.map(lambda a: a[rows]).left(self.left[rows]).of(np.ones(int(rows.sum()), bool))

    def take(self, cause: Cause, rows: Bools, excess: Floats, said: str) -> None:
        """Take ``excess`` of each hour out of what is left of some rows, from each in proportion; rounded down to whole steps."""
        held = self.left[rows]
        whole = held.sum(axis=0)
        wanted = np.where(self.window, excess, 0.0)
        share = np.divide(wanted, whole, out=np.zeros_like(whole), where=whole > 0)
        taken = np.floor(held * np.clip(share, 0.0, 1.0) * STEPS + 1e-6) / STEPS
        if (taken > 0).any():
            self.left[rows] = held - taken
            self.entries.append(_Entry(cause, rows, taken, said))

    def saw(self, cause: Cause, rows: Bools, hours: Bools) -> None:
        if (hours & self.window).any():
            self.present.append((cause, rows, hours & self.window))


def _excess(own: Tally, level: Floats, hours: Bools) -> Floats:
    """Bad events above the level; none where the level is not known."""
    return np.where(hours & ~np.isnan(level), np.maximum(0.0, own.bad - np.nan_to_num(level) * own.valid), 0.0)


def _against(own: Tally, level: Floats, excess: Floats) -> str:
    hours = excess > 0
    valid = own.valid[hours]
    if not valid.sum():
        return ""
    return f"{own.bad[hours].sum() / valid.sum():.2%} bad against {(level[hours] * valid).sum() / valid.sum():.2%}"


# --- rollouts


def _blame_rollouts(ledger: _Ledger) -> None:
    """Against what has no rollout or an older one: same model, region and hardware, same hour."""
    units = ledger.units
    rollouts = units.column("rollout")
    for place, rows in _strata(units, ("model", "region", "hardware", DRIVER)):
        began = {r: _first(units.tally.of(_home(units, place) & (rollouts == r))) for r in set(rollouts[rows])}
        for rollout in sorted(r for r in began if r):
            older = [r for r in began if not r or began[r] < began[rollout]]
            own, peers = rows & (rollouts == rollout), rows & np.isin(rollouts, older)
            _blame_rollout(ledger, (own, peers), began[rollout], f"rollout {rollout}")


def _home(units: Units, place: Mapping[str, str]) -> Bools:
    return np.asarray((units.column("model") == place["model"]) & (units.column("region") == place["region"]))


def _first(tally: Tally) -> int:
    """The first hour with events; 0 also for what was there before the first hour."""
    found = np.flatnonzero(tally.valid > 0)
    return int(found[0]) if len(found) else 0


def _blame_rollout(ledger: _Ledger, rows: tuple[Bools, Bools], first: int, name: str) -> None:
    tally = ledger.units.tally
    own, peers = tally.of(rows[0]), tally.of(rows[1])
    before = peers.map(lambda a: np.full(len(a), a[max(0, first - HISTORY_H) : first].sum()))
    # Once nothing is without it, what was there before it is all there is to compare with.
    alone = (peers.valid < EVENTS_MIN) & (before.valid >= EVENTS_MIN)
    hours = np.where(alone, _bad_from_the_start(own, before, first), worse_lately(own, peers))
    level = np.where(alone, before.ratio, np.fmax(peers.ratio, normal(peers)))
    excess = _excess(own, level, hours)
    versions = ", ".join(sorted(set(ledger.units.column("version")[rows[0]])))
    region = ledger.units.column("region")[rows[0]][0]
    said = f"version {versions} by {name} in {region or 'no region'}: {_against(own, level, excess)} without it"
    ledger.saw(Cause.ROLLOUT, rows[0], hours)
    ledger.take(Cause.ROLLOUT, rows[0], excess, said)


def _bad_from_the_start(own: Tally, before: Tally, first: int) -> Bools:
    """Hours up to which it never ceased to be worse than what was before it. A rollout that began well is not blamed for what
    happens to everybody long after it."""
    hours = worse(trailing(own), before)
    settled = min(first + DAY_H, len(hours)) - 1
    hours[first:settled] = hours[settled]
    hours[:first] = False
    hours[first:] = np.logical_and.accumulate(hours[first:])
    return hours


def _strata(units: Units, names: Sequence[str]) -> Iterator[tuple[Mapping[str, str], Bools]]:
    """The rows of each combination of some dimensions."""
    table = list(zip(*(units.column(name) for name in names), strict=True))
    for values in sorted(set(table)):
        yield dict(zip(names, values, strict=True)), np.array([row == values for row in table], dtype=bool)


# --- hardware


def _blame_hardware(ledger: _Ledger) -> None:
    """One class or driver against the others: same model and region, same hour."""
    for trait in ("hardware", DRIVER):
        values = ledger.units.column(trait)
        for place, rows in _strata(ledger.units, ("model", "region")):
            for value in sorted(v for v in set(values[rows]) if v):
                own, others = rows & (values == value), rows & (values != value) & (values != "")
                if others.any():
                    _blame_trait(ledger, (own, others), f"{trait} {value} in {place['region'] or 'no region'}")


def _blame_trait(ledger: _Ledger, rows: tuple[Bools, Bools], name: str) -> None:
    tally = ledger.units.tally
    ledger.saw(Cause.HARDWARE, rows[0], worse_lately(tally.of(rows[0]), tally.of(rows[1])))
    own, others = ledger.remaining(rows[0]), ledger.remaining(rows[1])
    usual = normal(tally.of(rows[1]))
    level = np.fmax(others.ratio, usual)
    hours = _mostly(own, others, usual) | _mostly(trailing(own), trailing(others), usual)
    excess = _excess(own, level, hours)
    ledger.take(Cause.HARDWARE, rows[0], excess, f"{name}: {_against(own, level, excess)} of the others")


def _mostly(own: Tally, others: Tally, usual: Floats) -> Bools:
    """Hours in which one class is worse than the others and has most of the excess: where the others are unusual too, and more
    so, it is not this class that is the trouble."""
    hours = worse(own, others)
    excess = _excess(own, np.fmax(others.ratio, usual), hours)
    return np.asarray(hours & (excess > _excess(others, usual, hours)))


# --- connectivity, resources, drift


def _blame_circumstances(ledger: _Ledger, signals: Sequence[Signal]) -> None:
    units = ledger.units
    for group in dict.fromkeys(units.groups):
        mine = units.of_group(group)
        for place, cell in _strata(units, ("model", "region", "gateway")):
            rows = mine & cell
            if rows.any():
                _blame_cell(ledger, rows, [*(s for s in signals if s.reaches(place)), *_bridged(units, rows)])


def _blame_cell(ledger: _Ledger, rows: Bools, signals: Sequence[Signal]) -> None:
    """Against the cell's own normal level, in hours in which something was going on around it."""
    if not any((s.hours & ledger.window).any() for s in signals):
        return
    level = normal(ledger.remaining(rows), ledger.remaining(~rows))
    for cause in (Cause.CONNECTIVITY, Cause.RESOURCES, Cause.DRIFT):
        found = [s for s in signals if s.cause is cause]
        hours = np.any([s.hours for s in found], axis=0) if found else np.zeros(len(level), bool)
        ledger.saw(cause, rows, hours)
        own = ledger.remaining(rows)
        excess = _excess(own, level, hours & raised(own, level))
        active = [s for s in found if (s.hours & (excess > 0)).any()]
        ledger.take(cause, rows, excess, ", ".join(_placed(s) for s in active))


def _placed(signal: Signal) -> str:
    where = " ".join(value for _, value in signal.place)
    return f"{where}: {signal.said}" if where else signal.said


def _bridged(units: Units, rows: Bools) -> list[Signal]:
    """Hours in which most events were counted across an outage."""
    bridged, valid = units.bridged[rows].sum(axis=0), units.tally.of(rows).valid
    hours = (bridged > 0) & (bridged * 2 >= valid)
    return [Signal(Cause.CONNECTIVITY, BRIDGED, (), hours, BRIDGED)] if hours.any() else []


# --- the answer


def _measured(slo: Slo, units: Units, looked: frozenset[str]) -> dict[Cause, tuple[str, ...]]:
    counters = any(s.source in (Source.SUM, Source.HISTOGRAM) for s in slo.sli.selectors)
    heard = [FRESHNESS] if FRESHNESS in looked else []
    return {
        Cause.ROLLOUT: (ROLLOUT_ID,) if units.column("rollout").astype(bool).any() else (),
        Cause.HARDWARE: tuple(t for t in ("hardware", DRIVER) if units.column(t).astype(bool).any()),
        Cause.CONNECTIVITY: (*heard, *([BRIDGED] if counters else [])),
        Cause.RESOURCES: tuple(name for name in GAUGES if name in looked),
        Cause.DRIFT: (DRIFT,) if DRIFT in looked else (),
    }


def _targets(slo: Slo, hours: Sequence[datetime]) -> Floats:
    """The target of each hour, as it begins."""
    if not slo.targets:
        return np.full(len(hours), slo.target)
    parts = targets_between(slo.targets, hours[0], hours[-1] + HOUR)
    return np.array([next(t for a, b, t in parts if a <= hour < b) for hour in hours])


def _attribution(
    slo: Slo, group: Group, ledger: _Ledger, around: tuple[Sequence[datetime], Floats, Mapping[Cause, tuple[str, ...]]]
) -> Attribution:
    hours, targets, measured = around
    mine, window = ledger.units.of_group(group), ledger.window
    own = ledger.units.tally.of(mine)
    in_events = slo.weighting is Weighting.EVENTS and slo.quantifier is None and not slo.zero_tolerance
    allowed = float(((1 - targets) * own.valid)[window].sum()) if in_events else None
    rest = np.where(window, ledger.left[mine].sum(axis=0), 0.0)
    found = [p for c in Cause if c is not Cause.UNEXPLAINED and (p := _part(ledger, c, mine, hours, allowed))]
    found.append(_spent(Cause.UNEXPLAINED, rest, _why_not(measured), hours, allowed))
    inside = [hour for hour, within in zip(hours, window, strict=True) if within]
    since, until = (inside[0], inside[-1] + HOUR) if inside else (hours[-1], hours[-1])
    return Attribution(group, since, until, float(own.bad[window].sum()), allowed, tuple(found), measured)


def _part(ledger: _Ledger, cause: Cause, mine: Bools, hours: Sequence[datetime], allowed: float | None) -> Spent | None:
    """What one cause took of a slice; None if nothing."""
    taken = np.zeros((len(mine), len(hours)))
    said: dict[str, float] = {}
    for entry in ledger.entries:
        if entry.cause is cause:
            part = np.zeros_like(taken)
            part[entry.rows] = entry.taken
            part[~mine] = 0.0
            taken += part
            if part.any():
                said[entry.said] = said.get(entry.said, 0.0) + float(part.sum())
    if not taken.any():
        return None
    evidence = _joined(sorted(said, key=lambda text: -said[text])) + _beside(ledger, cause, taken > 0)
    return _spent(cause, taken.sum(axis=0), evidence, hours, allowed)


def _joined(said: Sequence[str]) -> str:
    more = f"; and {len(said) - NAMED} more" if len(said) > NAMED else ""
    return "; ".join(said[:NAMED]) + more


def _beside(ledger: _Ledger, cause: Cause, taken: Bools) -> str:
    """The other causes that there was evidence of, where and when this one took something."""
    notes = []
    for other in Cause:
        seen = np.zeros(taken.shape[1], bool)
        for found, rows, hours in ledger.present:
            if found is other and other is not cause:
                seen |= hours & taken[rows].any(axis=0)
        if seen.any():
            notes.append(f"{other} in {int(seen.sum())} of its hours")
    return f" (also evidence of {', '.join(notes)})" if notes else ""


def _why_not(measured: Mapping[Cause, tuple[str, ...]]) -> str:
    missing = [cause.value for cause, names in measured.items() if not names]
    return "normal level, or no evidence" + (f"; not measured: {', '.join(missing)}" if missing else "")


def _spent(cause: Cause, by_hour: Floats, evidence: str, hours: Sequence[datetime], allowed: float | None) -> Spent:
    bad = float(by_hour.sum())
    share = bad / allowed if allowed else None
    return Spent(cause, bad, share, evidence, tuple(h for h, some in zip(hours, by_hour > 0, strict=True) if some))


# --- the rollouts' reserve, and words


def purses(slo: Slo, found: Attribution) -> tuple[Purse, Purse] | None:
    """The rollouts' part of the budget and the rest's; None where the budget is not counted in events, or there are none."""
    if not found.allowed:
        return None
    rollouts = sum(p.bad for p in found.parts if p.cause is Cause.ROLLOUT)
    return Purse(slo.reserve, rollouts / found.allowed), Purse(1 - slo.reserve, (found.bad - rollouts) / found.allowed)


def words(slo: Slo, found: Attribution) -> list[str]:
    """One line per cause, the largest part first, then causes that spent nothing or were not looked for, then the reserve."""
    lines = [_line(part) for part in sorted(found.parts, key=lambda p: -p.bad)]
    took = {part.cause for part in found.parts}
    for cause, names in found.measured.items():
        if cause not in took:
            lines.append(f"{cause}: nothing found in {', '.join(names)}" if names else f"{cause}: not measured")
    return lines + _reserve_words(slo, found)


def _line(part: Spent) -> str:
    share = "" if part.share is None else f", {part.share:.0%} of the budget"
    hours = "" if part.cause is Cause.UNEXPLAINED else f" ({len(part.hours)} h)"
    return f"{part.cause}: {part.bad:,.0f} bad{share}{hours}: {part.evidence}"


def _reserve_words(slo: Slo, found: Attribution) -> list[str]:
    pair = purses(slo, found)
    if pair is None or not slo.reserve:
        return []
    rollouts, rest = pair
    return [
        f"rollouts spent {rollouts.spent:.0%} of the budget, {rollouts.share:.0%} is theirs;"
        f" everything else spent {rest.spent:.0%} of its {rest.share:.0%}"
    ]
