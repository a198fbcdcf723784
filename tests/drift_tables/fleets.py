"""A fleet's looks: false discoveries with and without drift, how soon drift is found, and what cumulative sums promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, product
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import fleet, sequential
from sloengine.evaluate.drift.baseline import Gathering, enough
from sloengine.evaluate.drift.discovery import level_of_look
from sloengine.evaluate.drift.histogram import Floats
from sloengine.evaluate.drift.judge import Before, Given, Judged, Rule, Verdict, judge
from sloengine.evaluate.drift.levels import Sums
from sloengine.monitor import DriftMonitor
from tests.drift_tables.run import RULE_OF_THUMB, Found, Size, Task, dice, percent, psi_of, table, whole
from tests.drift_tables.shapes import edges_of

DEFAULTS = DriftMonitor("shown", "shown", "edge.inference.score")
"""The rules are those of a monitor that says nothing of them."""
BINS, PARTS = 20, 4
SLOPE = np.linspace(-1, 1, BINS)
HOUR = timedelta(hours=1)
RULE = Rule(level_of_look(DEFAULTS.false_alarms, HOUR), DEFAULTS.index, DEFAULTS.minimum, DEFAULTS.persistence)
DRIFTING = (0.0, 0.01, 0.1, 0.5)
MOVED = 0.25
LOOK_EVENTS = (100, 1_000)
CALM_EVENTS = (50, 500)
CALM_SERIES = 100
INDEPENDENT, SCENES, DAILY = "independent", "scenes of six hours", "every day alike"
UNREST = ((1.0, INDEPENDENT), (4.0, INDEPENDENT), (4.0, SCENES), (4.0, DAILY))
"""Variance of an hour's counts over what chance makes it, and what hours have to do with each other."""
SCENE_HOURS, DAILY_TILT = 6, 0.8
PSIS, DELAY_EVENTS = (0.05, 0.1, 0.15, 0.25, 0.5, 1.0), (20, 100, 500, 2_000)
DELAY_SHARE = 0.05
RUN_EVENTS = (50, 500)
RAMP_WEEKS = 2


@dataclass(frozen=True, slots=True)
class Fleet:
    """S series, shares of shape (S, B), and their baseline."""

    shares: Floats
    events: int
    counts: Floats
    inflation: Floats
    """As the baseline's hours show it, shape (S,)."""
    joined: Floats
    freedom: Floats
    lasting: Floats
    """How many hours what varies lasts, as the baseline's days show it."""

    @classmethod
    def of(
        cls, size: int, events: int, week: int, chance: np.random.Generator, unrest: tuple[float, str] = UNREST[0]
    ) -> Fleet:
        """With an undrifted week as baseline, from which its inflation is estimated too, as jobs do."""
        shares = chance.dirichlet(np.ones(BINS), size=size)
        hours = Gathering(BINS)
        ids, nothing = np.arange(1, size + 1, dtype=np.uint64), np.zeros(size)
        for number, counts in enumerate(islice(hours_of(shares, events, chance, unrest), week)):
            hours.add(Sums(ids, ids, counts, nothing), first_half=number < week // 2)
        base = hours.baseline()
        return cls(shares, events, base.counts, base.inflation, base.joined, enough(base.freedom), base.lasting)

    def read(self, counts: Floats) -> fleet.Readings:
        return fleet.read(fleet.Block(self.counts, counts, edges_of(BINS), self.inflation, self.freedom, self.joined))

    def judged(self, readings: fleet.Readings, before: Before) -> Judged:
        size = len(readings.p)
        return judge(readings, Given(np.zeros(size), np.ones(size, dtype=bool), self.lasting), before, RULE)

    def look(self, shares: Floats, chance: np.random.Generator) -> fleet.Readings:
        """At an hour of these shares."""
        return self.read(chance.multinomial(self.events, shares).astype(float))


def hours_of(shares: Floats, events: int, chance: np.random.Generator, unrest: tuple[float, str]) -> Iterator[Floats]:
    """Counts of one hour after the other: multinomial, of shares that vary where there is unrest (Dirichlet-multinomial)."""
    inflation, kind = unrest
    # Variances are (events + a) / (1 + a) times those of chance, a the sum of the Dirichlet's parameters.
    a = (events - inflation) / (inflation - 1) if inflation > 1 else np.inf
    number, now = 0, shares
    while True:
        if kind == DAILY:
            # Of some 500 events such a tilt makes variances about four times as large.
            now = _tilted(shares, np.full(len(shares), DAILY_TILT * np.sin(2 * np.pi * number / 24)), SLOPE)
        elif inflation > 1 and (kind == INDEPENDENT or number % SCENE_HOURS == 0):
            drawn = chance.standard_gamma(shares * a) + 1e-300
            now = drawn / drawn.sum(axis=1, keepdims=True)
        yield chance.multinomial(events, now).astype(float)
        number += 1


def moved(shares: Floats, size: float | Floats) -> Floats:
    """Shares tilted along the score until their PSI against what they were is ``size``."""
    low, high = np.zeros(len(shares)), np.full(len(shares), 60.0)
    for _ in range(40):
        middle = (low + high) / 2
        over = psi_of(shares, _tilted(shares, middle, SLOPE)) > size
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return _tilted(shares, low, SLOPE)


def _tilted(shares: Floats, by: Floats, slope: Floats) -> Floats:
    weight = shares * np.exp(by[:, None] * slope)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def said(found: Judged, *verdicts: Verdict) -> NDArray[np.bool_]:
    return np.isin(found.verdicts, verdicts)


# --- tasks


def tasks(size: Size) -> list[Task]:
    looks = [
        Task(("look", series, share, events), looks_of, (series, share, events, size.week, size.looks))
        for series, share, events in product(size.series, DRIFTING, LOOK_EVENTS)
    ]
    weeks = [
        Task(("week", unrest, events, part), weeks_of, (unrest, events, part, size.week, size.fleets))
        for unrest, events in product(UNREST, CALM_EVENTS)
        for part in range(PARTS)
    ]
    delays = [
        Task(("delay", psi, events), delay_of, (psi, events, size.week, size.series[0] // 2))
        for psi, events in product(PSIS, DELAY_EVENTS)
    ]
    lengths = [
        Task(("length", stated, events), length_of, (stated, events, size.week, size.run_lengths))
        for stated, events in product(size.stated, RUN_EVENTS)
    ]
    ramps = [Task(("ramp", events), ramp_of, (events, size.week, size.run_lengths)) for events in DELAY_EVENTS]
    return [*lengths, *ramps, *looks, *weeks, *delays]


def looks_of(series: int, share: float, events: int, week: int, repeats: int) -> dict[str, float]:
    """Looks at a fleet of which a share drifts: means of false among found, and share of the drifting found."""
    told: dict[str, list[float]] = {
        name: [] for name in ("false", "found", "plain false", "dummy false", "dummy found")
    }
    chance = dice("look", series, share, events)
    one = Fleet.of(series, events, week, chance)
    drifting = np.arange(series) < share * series
    shares = np.where(drifting[:, None], moved(one.shares, MOVED), one.shares)
    for _ in range(repeats):
        readings = one.look(shares, chance)
        found = one.judged(readings, Before.fresh(series))
        for name, flags in (
            ("", said(found, Verdict.SUSPECTED, Verdict.DRIFT)),
            ("plain ", readings.p <= 0.05),
            ("dummy ", readings.values["psi"] > RULE_OF_THUMB),
        ):
            told[f"{name}false"].append(float(np.mean(~drifting[flags])) if flags.any() else 0.0)
            if f"{name}found" in told and share:
                told[f"{name}found"].append(float(np.mean(flags[drifting])))
    return {name: float(np.mean(values)) if values else float("nan") for name, values in told.items()}


def weeks_of(unrest: tuple[float, str], events: int, part: int, week: int, repeats: int) -> dict[str, float]:
    """Calm fleet-weeks: in how many anything is found, and how much."""
    told = dict.fromkeys(("weeks", "significant", "suspected", "drift", "slow", "findings", "dummy"), 0.0)
    for number in range(repeats):
        chance = dice("week", unrest, events, part, number)
        one = Fleet.of(CALM_SERIES, events, week, chance, unrest)
        before, seen = Before.fresh(CALM_SERIES), {"significant": 0, "suspected": 0, "drift": 0, "slow": 0}
        for counts in islice(hours_of(one.shares, events, chance, unrest), week):
            readings = one.read(counts)
            found = one.judged(readings, before)
            before = found.after
            seen["significant"] += int(np.sum(found.q <= RULE.level))
            seen["suspected"] += int(np.sum(said(found, Verdict.SUSPECTED, Verdict.DRIFT)))
            seen["drift"] += int(np.sum(said(found, Verdict.DRIFT)))
            seen["slow"] += int(np.sum(said(found, Verdict.SLOW_DRIFT)))
            told["dummy"] += float(np.sum(readings.values["psi"] > RULE_OF_THUMB))
        told["weeks"] += 1
        told["findings"] += seen["drift"] + seen["slow"]
        for name, count in seen.items():
            told[name] += count > 0
    return told


def delay_of(psi: float, events: int, week: int, series: int) -> dict[str, float]:
    """Hours from the onset until a drifting series has a verdict, in a fleet of which few drift."""
    chance = dice("delay", psi, events)
    one = Fleet.of(series, events, week, chance)
    drifting = np.arange(series) < DELAY_SHARE * series
    shares = np.where(drifting[:, None], moved(one.shares, psi), one.shares)
    first = np.full((3, series), np.inf)
    before = Before.fresh(series)
    for hour in range(1, week + 1):
        readings = one.look(shares, chance)
        found = one.judged(readings, before)
        before = found.after
        flags = (said(found, Verdict.DRIFT), said(found, Verdict.SLOW_DRIFT), readings.values["psi"] > RULE_OF_THUMB)
        for row, flag in zip(first, flags, strict=True):
            row[flag & np.isinf(row)] = hour
    either = np.minimum(first[0], first[1])
    return {
        "drift": median(first[0, drifting]),
        "either": median(either[drifting]),
        "found": float(np.mean(np.isfinite(either[drifting]))),
        "false": float(np.sum(np.isfinite(either[~drifting]))),
        "dummy": median(first[2, drifting]),
        "dummy false": float(np.sum(np.isfinite(first[2, ~drifting]))),
        "calm": float(np.sum(~drifting)),
    }


def length_of(stated: float, events: int, week: int, series: int) -> dict[str, float]:
    """Mean looks until cumulative sums cross the limit for a stated run length, without drift."""
    chance = dice("length", stated, events)
    one = Fleet.of(series, events, week, chance)
    endless = Fleet(
        one.shares, events, one.shares * 1e9, *np.ones((2, series)), np.full(series, np.inf), np.ones(series)
    )
    limit, most = sequential.limit_for(stated), int(5 * stated)
    return {
        name: _mean_looks(source, limit, most, dice("length", name, stated, events))
        for name, source in (("week", one), ("known", endless))
    }


def _mean_looks(source: Fleet, limit: float, most: int, chance: np.random.Generator) -> float:
    """Looks over alarms, each series until its first or the end: the mean of an exponential time that is cut off."""
    size = len(source.shares)
    sums, running, looked, alarms = sequential.Sums.fresh(size), np.ones(size, dtype=bool), 0, 0
    for _ in range(most):
        readings = source.look(source.shares, chance)
        sums = sequential.step(sums, readings.p, readings.n, readings.m, readings.joined)
        looked += int(running.sum())
        over = running & (sums.sums > limit)
        alarms += int(over.sum())
        running &= ~over
        if not running.any():
            break
    return looked / alarms if alarms else float("inf")


def ramp_of(events: int, week: int, series: int) -> dict[str, float]:
    """A drift that grows evenly to a PSI of MOVED in RAMP_WEEKS: when it is spoken of, and how large it is then."""
    chance = dice("ramp", events)
    one = Fleet.of(series, events, week, chance)
    first = np.full((3, series), np.inf)
    before = Before.fresh(series)
    for hour in range(1, RAMP_WEEKS * week + 1):
        readings = one.look(moved(one.shares, MOVED * hour / (RAMP_WEEKS * week)), chance)
        found = one.judged(readings, before)
        before = found.after
        flags = (said(found, Verdict.DRIFT), said(found, Verdict.SLOW_DRIFT), readings.values["psi"] > RULE_OF_THUMB)
        for row, flag in zip(first, flags, strict=True):
            row[flag & np.isinf(row)] = hour
    return {
        "drift": median(first[0]),
        "slow": median(first[1]),
        "either": median(np.minimum(first[0], first[1])),
        "dummy": median(first[2]),
    }


# --- in words


def hours(value: float) -> str:
    return "–" if value == float("inf") else whole(value)


def short(found: Found) -> list[str]:
    alone = _told(found, [key for key in product(UNREST, CALM_EVENTS) if key[0][1] == INDEPENDENT])
    lasting = _told(found, [key for key in product(UNREST, CALM_EVENTS) if key[0][1] != INDEPENDENT])
    found_alone, slow_alone = (percent(alone[name] / alone["weeks"]) for name in ("suspected", "slow"))
    found_lasting, slow_lasting = (percent(lasting[name] / lasting["weeks"]) for name in ("suspected", "slow"))
    return [
        f"Of calm weeks of hourly looks at {CALM_SERIES} series a fleet's engine finds anything in {found_alone}, slow drift"
        f" in {slow_alone}; {DEFAULTS.false_alarms:.0%} is promised.",
        f"Where hours depend on each other single looks find anything in {found_lasting} of"
        f" calm weeks, cumulative sums slow drift in {slow_lasting}.",
    ]


def _told(found: Found, cells: list[tuple[tuple[float, int], int]]) -> dict[str, float]:
    parts = [one for key, one in found.items() if key[0] == "week" and key[1:3] in cells]
    return {name: sum(one[name] for one in parts) for name in parts[0]}


def text(found: Found, size: Size) -> str:
    return "\n".join(
        [_looks(found, size), _weeks(found, size), _delays(found), _lengths(found, size), _ramps(found, size)]
    )


def _looks(found: Found, size: Size) -> str:
    rows = []
    for series, share, events in product(size.series, DRIFTING, LOOK_EVENTS):
        one = found["look", series, share, events]
        names = ("false", "found", "plain false", "dummy false", "dummy found")
        rows.append((whole(series), percent(share), whole(events), *(percent(one[name]) for name in names)))
    return f"""## 4 A fleet

Series of {BINS} bins with shares drawn at random (flat Dirichlet), each with an undrifted week of as many events
an hour as its baseline, from which its
inflation is estimated too; judged by the rule of a monitor that says nothing of it: {DEFAULTS.index} at least
{DEFAULTS.minimum:g},
{DEFAULTS.false_alarms:g} false alarms a week, so a false discovery rate of {RULE.level:.2g} in each hourly look,
{RULE.persistence[0]} of {RULE.persistence[1]} windows. Drift tilts the shares along the score
until their PSI is as stated.

### One look

Of the drifting series all have a PSI of {MOVED:g}. False among what is found (its mean over
{size.looks} looks at one fleet; 0 where nothing is found) and the share of the drifting that
is found in this one look, before persistence; beside it p ≤ 0.05 of the same test, and the dummy:

{table(("series", "drifting", "events", "false", "found", "p ≤ 0.05: false", "dummy: false", "dummy: found"), rows)}"""


def _weeks(found: Found, size: Size) -> str:
    rows = []
    for unrest, events in product(UNREST, CALM_EVENTS):
        told = _told(found, [(unrest, events)])
        weeks = told["weeks"]
        shares = (percent(told[name] / weeks) for name in ("significant", "suspected", "drift", "slow"))
        findings = (f"{told['findings'] / weeks:.2f}", whole(told["dummy"] / weeks))
        rows.append((f"{unrest[0]:g}", unrest[1], whole(events), whole(weeks), *shares, *findings))
    head = ("inflation", "lasting hours", "events an hour", "weeks", "significant", "suspected", "drift", "slow drift")
    return f"""### Calm weeks

Fleets of {CALM_SERIES} series in which nothing drifts, looked at {size.week} times against one and the same
baseline. Of inflation 4 counts vary four times as much as chance makes them: the shares of an hour vary
(Dirichlet-multinomial), independently of the next or for scenes of {SCENE_HOURS} hours; or every hour of the day has
a mix of its own, the same every day (about four times, of 500 events). Share of fleet-weeks with anything
significant (q at most the look's level; {DEFAULTS.false_alarms:.0%} is promised), with anything suspected (a large
enough effect too), with drift ({RULE.persistence[0]} of {RULE.persistence[1]}), with slow drift; then verdicts of
drift and slow drift in a week, one for each series and hour, and the dummy's:

{table((*head, "verdicts a week", "dummy's"), rows)}"""


def _delays(found: Found) -> str:
    rows = []
    for psi, events in product(PSIS, DELAY_EVENTS):
        one = found["delay", psi, events]
        rows.append(
            (
                f"{psi:g}",
                whole(events),
                hours(one["drift"]),
                hours(one["either"]),
                percent(one["found"]),
                whole(one["false"]),
                hours(one["dummy"]),
                f"{one['dummy false'] / one['calm']:.0%}",
            )
        )
    return f"""### How soon

{DELAY_SHARE:.0%} of a fleet's series drift all at once, by a stated PSI; median hours until drift is said of
them, or slow drift at least, and the share of which it is within a
week; how many of the calm ones have it in that week; and the same of the dummy. The monitor takes windows
together where an hour holds
too little; here every hour is looked at alone.

{table(("PSI", "events an hour", "drift", "drift or slow drift", "found", "false, series", "dummy", "dummy: false"), rows)}"""


def _lengths(found: Found, size: Size) -> str:
    rows = [
        (
            whole(stated),
            whole(events),
            hours(found["length", stated, events]["known"]),
            hours(found["length", stated, events]["week"]),
        )
        for stated, events in product(size.stated, RUN_EVENTS)
    ]
    return f"""### Cumulative sums

Mean looks until one undrifted series crosses the limit for a stated run length ({size.run_lengths} series, each
at most five times as long): against a baseline that is known
exactly, and against that of a week.

{table(("stated", "events an hour", "baseline known", "baseline of a week"), rows)}"""


def _ramps(found: Found, size: Size) -> str:
    rows, most = [], RAMP_WEEKS * size.week
    for events in DELAY_EVENTS:
        one = found["ramp", events]
        then = f"{MOVED * one['either'] / most:.3f}" if np.isfinite(one["either"]) else "–"
        rows.append(
            (whole(events), hours(one["drift"]), hours(one["slow"]), hours(one["either"]), then, hours(one["dummy"]))
        )
    return f"""Slow drift: a PSI that grows evenly from 0 to {MOVED:g} in {most} hours, in all series.
Median hours until drift, until slow drift, until either, and the PSI
that was reached then; the dummy's first alarm beside it:

{table(("events an hour", "drift", "slow drift", "either", "PSI then", "dummy"), rows)}"""
