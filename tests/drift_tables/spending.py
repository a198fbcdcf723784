"""Why a week's false alarms are spent over its looks: the same p-values under other ways to look again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import sequential
from sloengine.evaluate.drift.discovery import q_values
from sloengine.evaluate.drift.histogram import Floats
from tests.drift_tables.fleets import CALM_EVENTS, CALM_SERIES, DEFAULTS, PARTS, RULE, Fleet, hours, moved
from tests.drift_tables.run import Found, Size, Task, dice, percent, table, whole

ALPHA = DEFAULTS.false_alarms
WEEK, KNOWN = "a week", "known exactly"
BASELINES = (WEEK, KNOWN)
DRIFTS = (0.1, 0.25)
DRIFT_SHARE = 0.05
Flags = NDArray[np.bool_]


def e_of(p: Floats) -> Floats:
    """An e-value from a p-value: the mean of κ·p^(κ - 1) over κ in (0, 1) (Vovk & Wang 2021)."""
    told = np.clip(np.nan_to_num(p, nan=1.0), 1e-300, 1 - 1e-9)
    log = np.log(told)
    return np.where(np.isnan(p), 1.0, (1 - told + told * log) / (told * log**2))


def e_found(e: Floats, alpha: float) -> Flags:
    """Which are discovered at a false discovery rate, however they depend on each other (e-BH, Wang & Ramdas 2022)."""
    order = np.argsort(-e, kind="stable")
    enough = np.flatnonzero(e[order] >= len(e) / (alpha * np.arange(1, len(e) + 1)))
    found = np.zeros(len(e), dtype=bool)
    found[order[: enough[-1] + 1 if enough.size else 0]] = True
    return found


@dataclass
class Products:
    """An e-process of each series: the product of its looks since the week began."""

    log: Floats

    def found(self, p: Floats) -> Flags:
        self.log = self.log + np.log(e_of(p))
        return e_found(np.exp(np.minimum(self.log, 700.0)), ALPHA)


@dataclass
class Detectors:
    """An e-detector of each series (Shiryaev and Roberts; Shin, Ramdas & Rinaldo 2023): the sum of the products since every look.

    Its mean run length is at least its limit, which is set as spending's is: all series and looks of a week together.
    """

    sums: Floats
    looks: int

    def found(self, p: Floats) -> Flags:
        self.sums = np.minimum((1 + self.sums) * e_of(p), 1e300)
        return self.sums >= self.looks * len(p) / ALPHA


@dataclass
class Cumulative:
    """The engine's cumulative sums, with the limit that it gives them."""

    one: Fleet
    sums: sequential.Sums

    def found(self, p: Floats) -> Flags:
        limit = sequential.limit_for(len(p) / RULE.level)
        most = sequential.most_of_look(limit, RULE.persistence[1])
        lasting = np.nan_to_num(self.one.lasting, nan=1.0)
        n, m = np.full(len(p), self.one.events) * lasting, self.one.counts.sum(axis=1)
        self.sums = sequential.step(self.sums, p, n, m, self.one.joined, most=most)
        return np.asarray(self.sums.sums > limit * lasting)


WAYS = ("spent over the looks", "cumulative sums", "anew at each look", "e-values multiplied", "e-detectors")


def ways(one: Fleet, looks: int) -> dict[str, Callable[[Floats], Flags]]:
    """What each way finds in one look after the other."""
    series = len(one.shares)
    judges = (
        lambda p: np.nan_to_num(q_values(p), nan=1.0) <= RULE.level,
        Cumulative(one, sequential.Sums.fresh(series)).found,
        lambda p: np.nan_to_num(q_values(p), nan=1.0) <= ALPHA,
        Products(np.zeros(series)).found,
        Detectors(np.zeros(series), looks).found,
    )
    return dict(zip(WAYS, judges, strict=True))


def fleet_of(series: int, events: int, week: int, baseline: str, chance: np.random.Generator) -> Fleet:
    found = Fleet.of(series, events, week, chance)
    if baseline == WEEK:
        return found
    ones, endless = np.ones(series), np.full(series, np.inf)
    return Fleet(found.shares, events, found.shares * 1e9, ones, ones, endless, ones)


def tasks(size: Size) -> list[Task]:
    cells = list(product(BASELINES, CALM_EVENTS))
    weeks = [
        Task(("spent", *cell, part), calm_of, (*cell, part, size.week, size.fleets))
        for cell in cells
        for part in range(PARTS)
    ]
    delays = [
        Task(("spent delay", psi, events), delay_of, (psi, events, size.week, size.series[0] // 2))
        for psi, events in product(DRIFTS, CALM_EVENTS)
    ]
    return [*weeks, *delays]


def calm_of(baseline: str, events: int, part: int, week: int, repeats: int) -> dict[str, float]:
    """Calm fleet-weeks, and in how many each way finds anything."""
    told = dict.fromkeys(("weeks", *WAYS), 0.0)
    for number in range(repeats):
        chance = dice("spent", baseline, events, part, number)
        one = fleet_of(CALM_SERIES, events, week, baseline, chance)
        judges, seen = ways(one, week), dict.fromkeys(WAYS, False)
        for _ in range(week):
            p = one.look(one.shares, chance).p
            for name, judge in judges.items():
                seen[name] |= bool(judge(p).any())
        told["weeks"] += 1
        for name, any_ in seen.items():
            told[name] += any_
    return told


def delay_of(psi: float, events: int, week: int, series: int) -> dict[str, float]:
    """Hours from the onset, in the middle of a week, until each way finds a drifting series; by median."""
    chance = dice("spent delay", psi, events)
    one = fleet_of(series, events, week, WEEK, chance)
    drifting = np.arange(series) < DRIFT_SHARE * series
    shares = np.where(drifting[:, None], moved(one.shares, psi), one.shares)
    judges, onset = ways(one, week), week // 2
    first = {name: np.full(series, np.inf) for name in WAYS}
    for hour in range(1, onset + week + 1):
        p = one.look(one.shares if hour <= onset else shares, chance).p
        for name, judge in judges.items():
            found = judge(p)
            if hour > onset:
                first[name][found & np.isinf(first[name])] = hour - onset
    return {name: median(when[drifting]) for name, when in first.items()}


def short(found: Found) -> list[str]:
    told = _weeks(found, WEEK, CALM_EVENTS)
    spent, sums, anew, _, detectors = (percent(told[name] / told["weeks"]) for name in WAYS)
    return [
        f"Looking again and again finds something in {anew} of calm weeks if each look may err in {ALPHA:.0%}; in {spent} if a"
        f" week's false alarms are spent over its looks, in {sums} by the engine's cumulative sums, in {detectors} by"
        " e-detectors."
    ]


def _weeks(found: Found, baseline: str, events: tuple[int, ...]) -> dict[str, float]:
    parts = [one for key, one in found.items() if key[0] == "spent" and key[1] == baseline and key[2] in events]
    return {name: sum(one[name] for one in parts) for name in parts[0]}


def text(found: Found, size: Size) -> str:
    calm = []
    for baseline, events in product(BASELINES, CALM_EVENTS):
        told = _weeks(found, baseline, (events,))
        shares = (percent(told[name] / told["weeks"]) for name in WAYS)
        calm.append((baseline, whole(events), whole(told["weeks"]), *shares))
    delays = [
        (f"{psi:g}", whole(events), *(hours(found["spent delay", psi, events][name]) for name in WAYS))
        for psi, events in product(DRIFTS, CALM_EVENTS)
    ]
    return f"""## 5 Looking again and again

The same p-values under five ways to look {size.week} times a week: Benjamini-Hochberg with a week's false alarms spent
evenly over its looks, and cumulative sums, as the fleet's engine has both (here without effect and persistence);
Benjamini-Hochberg at {ALPHA:.0%} anew at each look; e-values
(the mean of κ·p^(κ − 1), Vovk & Wang 2021) multiplied since the week began and judged by e-BH (Wang & Ramdas 2022), valid
at any time for independent looks; and e-detectors (Shin, Ramdas & Rinaldo 2023) whose limit makes {ALPHA:.0%} of a week of all
series.

Share of calm weeks of {CALM_SERIES} series in which anything is found; {ALPHA:.0%} is promised:

{table(("baseline", "events an hour", "weeks", *WAYS), calm)}

Spending holds whatever looks have in common, and they have their baseline in common; it finds at once what one look shows, and
never what none shows. That is for sums over looks: cumulative ones and e-detectors find what is small, hours later. Products
since the week began carry all that was calm before.

Hours until a drifting series is found, by median, against the baseline of a week, with the drift's onset in the middle of a
week of products:

{table(("PSI", "events an hour", *WAYS), delays)}"""
