"""A real classifier under corruptions that are known: what its scores show, how soon, and what they don't."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import ceil, log
from statistics import median
from typing import Any

import numpy as np

from sloengine.evaluate.drift.histogram import Binned, Floats
from sloengine.evaluate.drift.verdict import Compared, Rule, Verdict, compare
from tests.drift_tables.pictures import (
    COPIES,
    CORRUPTIONS,
    EDGES,
    TRAIN,
    UNDRIFTED,
    VALIDATION,
    Pool,
    held_out,
    stream,
    validation,
)
from tests.drift_tables.run import RULE_OF_THUMB, Found, Size, Task, dice, percent, psi_of, table, whole

RATES = (20, 200, 2_000)
"""Events of an hour."""
DAY_RATES = (20, 200)
"""Of replays by the last 24 hours together."""
REPLAYS, REPLAYED_HOURS = 9, 48
MONTH = 720
WEEK = 168
LOSS = 0.05
"""Of accuracy, that matters."""
CASES = tuple((kind, strength) for kind, strengths in CORRUPTIONS.items() for strength in strengths)


def tasks(size: Size) -> list[Task]:
    hours = [
        Task(("hours", *case, rate), hours_of, (case, rate, size.hours, size.rounds))
        for case, rate in product((UNDRIFTED, *CASES), RATES)
    ]
    days = [
        Task(("day", *case, rate), day_of, (case, rate, min(REPLAYED_HOURS, size.hours), size.rounds))
        for case, rate in product(CASES, DAY_RATES)
    ]
    months = [
        Task(
            ("month", against, rate, number), month_of, (against, rate, number, min(MONTH, 6 * size.hours), size.rounds)
        )
        for against, rate, number in product(("week", "validation"), RATES, range(size.months))
    ]
    return [*months, *days, *hours]


def baseline(rate: int) -> tuple[Binned, dict[str, float]]:
    """Scores and classes of an undrifted week."""
    pool, chance = stream(*UNDRIFTED), dice("baseline", rate)
    scores, classes = (chance.multinomial(WEEK * rate, shares) for shares in (pool.by_score(), pool.by_class()))
    return Binned(EDGES, scores.astype(float)), by_name(classes)


def by_name(counts: Any) -> dict[str, float]:
    return {str(digit): float(count) for digit, count in enumerate(counts)}


def hours_of(case: tuple[str, float], rate: int, hours: int, rounds: int) -> dict[str, Any]:
    """Hours that are all drifted, each compared alone."""
    pool, chance, rule = stream(*case), dice("hours", *case, rate), Rule(rounds=rounds)
    scores, classes = baseline(rate)
    found, of_classes, dummy = [], [], 0
    for _ in range(hours):
        now = chance.multinomial(rate, pool.by_score()).astype(float)
        one = compare(scores, Binned(EDGES, now), rule)
        found.append(one.verdict)
        dummy += _psi(one) > RULE_OF_THUMB
        of_classes.append(compare(classes, by_name(chance.multinomial(rate, pool.by_class())), rule).verdict)
    return {"scores": Counter(found), "classes": Counter(of_classes), "dummy": dummy, "hours": hours}


def day_of(case: tuple[str, float], rate: int, hours: int, rounds: int) -> float:
    """Median hours from the onset until the last 24 hours together are called drift; endless if never."""
    pool, calm, rule = stream(*case), stream(*UNDRIFTED), Rule(rounds=rounds)
    scores, _ = baseline(rate)
    waits = []
    for number in range(REPLAYS):
        chance = dice("day", *case, rate, number)
        before = chance.multinomial(rate, calm.by_score(), size=24)
        after = chance.multinomial(rate, pool.by_score(), size=hours)
        seen = np.concatenate([before, after])
        found = (hour for hour in range(1, hours + 1) if _drifts(scores, seen[hour : hour + 24].sum(axis=0), rule))
        waits.append(next(found, float("inf")))
    return median(waits)


def month_of(against: str, rate: int, number: int, hours: int, rounds: int) -> Counter[str]:
    """Undrifted hours by what is said of them."""
    pool, chance, rule = stream(*UNDRIFTED), dice("month", against, rate, number), Rule(rounds=rounds)
    base = baseline(rate)[0] if against == "week" else Binned(EDGES, VALIDATION * validation().by_score())
    said: Counter[str] = Counter(hours=hours)
    for _ in range(hours):
        found = compare(base, Binned(EDGES, chance.multinomial(rate, pool.by_score()).astype(float)), rule)
        said[found.verdict.value] += 1
        said["dummy"] += _psi(found) > RULE_OF_THUMB
        said["p"] += found.readings["psi"] is not None and found.readings["psi"].p <= rule.alpha
    return said


def _drifts(base: Binned, now: Floats, rule: Rule) -> bool:
    return compare(base, Binned(EDGES, now.astype(float)), rule).verdict is Verdict.DRIFT


def _psi(found: Compared) -> float:
    reading = found.readings["psi"]
    return 0.0 if reading is None else reading.value


# --- in words


def short(found: Found) -> list[str]:
    lost = [(case, pool, _by_scores(found, case)) for case, pool in _pools() if _loss(pool) >= LOSS]
    seen = [share for _, _, share in lost if share >= 0.5]
    months = [one for key, one in found.items() if key[:2] == ("month", "week")]
    drift, dummy, hours = (sum(one[said] for one in months) for said in ("drift", "dummy", "hours"))
    return [
        f"Of {len(lost)} corruptions of real images that cost {LOSS:.0%} of accuracy or more, scores show {len(seen)}"
        f" in most hours of {RATES[-1]:,} events. They can't show answers that stay as they are while the truth changes.",
        f"Looked at hour by hour without drift, `compare` alone calls {percent(drift / hours)} of hours drift, the dummy"
        f" {percent(dummy / hours)}: repeated looks need what the fleet's engine does.",
    ]


def _loss(pool: Pool) -> float:
    return stream(*UNDRIFTED).accuracy - pool.accuracy


def _by_scores(found: Found, case: tuple[str, float]) -> float:
    one = found["hours", *case, RATES[-1]]
    return float(one["scores"][Verdict.DRIFT] / one["hours"])


def text(found: Found, size: Size) -> str:
    return "\n".join([_made(), _changes(), _hours(found, size), _blind(found), _months(found)])


def _made() -> str:
    calm = stream(*UNDRIFTED)
    apart = psi_of(validation().by_score(), calm.by_score())
    return f"""## 3 A real classifier

Logistic regression on scikit-learn's digits, fitted to {TRAIN} images drawn at random; {VALIDATION} others are
for validation, and the {held_out()} that are left
are the stream (accuracy {calm.accuracy:.3f}, mean top score {calm.mean_score:.3f}). What is counted is the top
score in the {len(EDGES) - 1} bins that `sloengine.edge` reports.

**What is drawn again.** There are only {held_out()} held-out images. An hour's events are drawn from them with
replacement, independently, corrupted or not (for
noise from {COPIES} noisy copies of each): an hour of {RATES[-1]:,} events shows every image
{RATES[-1] / held_out():.1f} times on average. So p-values and waits are about
chance in the drawing from this pool, not about images that nobody saw; events of real devices also depend on each
other, which is not shown here.
The baseline is an undrifted week at the same rate, drawn from the same pool, so that without corruption nothing
drifts. Validation and
stream are different images of the same kind: between their shares lies a PSI of {apart:.3f}, which is what so few
images make by chance.
"""


def _pools() -> list[tuple[tuple[str, float], Pool]]:
    return [(case, stream(*case)) for case in CASES]


def _changes() -> str:
    calm = stream(*UNDRIFTED)
    rows = []
    for (kind, strength), pool in _pools():
        rows.append(
            (
                kind,
                f"{strength:g}",
                f"{pool.accuracy:.3f}",
                f"{pool.accuracy - calm.accuracy:+.3f}",
                f"{pool.mean_score:.3f}",
                f"{psi_of(*smoothed(calm.by_score(), pool.by_score())):.3f}",
                f"{psi_of(*smoothed(calm.by_class(), pool.by_class())):.3f}",
            )
        )
    return f"""What each corruption does to the pool, without chance in the drawing:

{table(("corruption", "strength", "accuracy", "change", "mean score", "PSI of scores", "PSI of predicted classes"), rows)}"""


def smoothed(*sides: Floats) -> tuple[Floats, ...]:
    """As of a million events with half of one in every bin: an empty bin is not endless."""
    counts = [side * 1e6 + 0.5 for side in sides]
    return tuple(side / side.sum() for side in counts)


def _wait(share: float) -> str:
    """Median hours until one of many independent hours is found."""
    return "–" if share <= 0 else whole(max(1, ceil(log(0.5) / log(1 - share)))) if share < 1 else "1"


def _hours(found: Found, size: Size) -> str:
    rows = []
    for case in (UNDRIFTED, *CASES):
        told: list[str] = []
        for rate in RATES:
            one = found["hours", *case, rate]
            share = one["scores"][Verdict.DRIFT] / one["hours"]
            told += [percent(share), _wait(share), percent(one["dummy"] / one["hours"])]
        rows.append((case[0], f"{case[1]:g}", *told))
    heads = [f"{rate:,}: {what}" for rate in RATES for what in ("drift", "hours", "dummy")]
    days = [
        (kind, f"{strength:g}", *(_days(found["day", kind, strength, rate]) for rate in DAY_RATES))
        for kind, strength in CASES
    ]
    return f"""Share of {size.hours} drifted hours that `compare` calls drift, each hour alone and by the rule as
it comes (PSI at least 0.1, alpha 0.01), the median
hours until the first such hour (– is none), and the share that the dummy calls drift, by events of an hour:

{table(("corruption", "strength", *heads), rows)}
By the last 24 hours together, which at the onset are undrifted: median hours from the onset until drift is said,
of {REPLAYS} replays of at most
{min(REPLAYED_HOURS, size.hours)} hours:

{table(("corruption", "strength", *(f"{rate:,} an hour" for rate in DAY_RATES)), days)}"""


def _days(hours: float) -> str:
    return "–" if hours == float("inf") else whole(hours)


def _blind(found: Found) -> str:
    rate = RATES[-1]
    rows = []
    for (kind, strength), pool in _pools():
        one, loss = found["hours", kind, strength, rate], _loss(pool)
        by_score, by_class = _by_scores(found, (kind, strength)), one["classes"][Verdict.DRIFT] / one["hours"]
        unseen = "unseen" if loss >= LOSS and by_score < 0.5 else "harmless" if loss < LOSS and by_score >= 0.5 else ""
        rows.append((kind, f"{strength:g}", f"{-loss:+.3f}", percent(by_score), percent(by_class), unseen))
    unseen = [f"{kind} {strength}" for kind, strength, *_, said in rows if said == "unseen"]
    both = [row for row in rows if row[-1] == "unseen" and row[4] in ("0%", "0.0%")]
    return f"""What scores can't see, at {rate:,} events an hour: `unseen` loses at least {LOSS:.0%} of accuracy
and is not called drift in most hours; `harmless` is called
drift and loses less. Beside it what the counts of predicted classes show, judged by the same rule:

{table(("corruption", "strength", "accuracy", "by scores", "by classes", ""), rows)}
Unseen by scores: {"; ".join(unseen) or "none"}. Of these {len(both)} are unseen by classes too: such drift needs labels.
"""


def _months(found: Found) -> str:
    rows = []
    for against, rate in product(("week", "validation"), RATES):
        months = [one for key, one in found.items() if key[:3] == ("month", against, rate)]
        hours = sum(one["hours"] for one in months)
        mean = [f"{sum(one[said] for one in months) / len(months):.1f}" for said in ("drift", "p", "dummy")]
        not_enough = percent(sum(one["not_enough_data"] for one in months) / hours)
        base = "an undrifted week" if against == "week" else f"the {VALIDATION} validation images"
        rows.append((base, f"{rate:,}", *mean, not_enough))
    some = months[0]["hours"]
    head = (
        "baseline",
        "events an hour",
        "hours called drift",
        "hours with p ≤ 0.01",
        "hours by the dummy",
        "not enough data",
    )
    return f"""### A calm month

{some} undrifted hours, each compared alone: hours that alarm, mean of {len(months)} months. Against validation
nothing drifted either, but the pool is not that
sample: with many events an hour the difference of two sets of images is surely there, and whether it matters is
all that the minimum effect
decides.

{table(head, rows)}"""
