"""Replays of made-up minutes: the SRE workbook's detection times, and the guard."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from engine_rig import HOUR, MINUTE, WORKBOOK, slo

from sloengine.evaluate.backtest import Minutes, Replay, replay
from sloengine.model import BurnPolicy, BurnWindow, DatedTarget, Severity, Slo, Unknown

START = datetime(2026, 1, 1, tzinfo=UTC)
QUIET = timedelta(minutes=5)


def minutes_of(good: np.ndarray, bad: np.ndarray, weight: float = 1.0) -> Minutes:
    return Minutes(
        START,
        good[np.newaxis],
        bad[np.newaxis],
        np.zeros((1, len(good))),
        good[np.newaxis] * weight,
        bad[np.newaxis] * weight,
        np.full(len(good), float(weight != 1)),
        good + bad > 0,
    )


def constant(ratio: float, begin: int, length: int, traffic: float = 1e10) -> Minutes:
    """So much traffic a minute, all good up to ``begin`` and this ratio bad from then on."""
    bad = np.where(np.arange(length) >= begin, traffic * ratio, 0.0)
    return minutes_of(traffic - bad, bad)


def played(promise: Slo, minutes: Minutes, step: int = 1, begin: int = 0) -> Replay:
    places = range(begin, minutes.good.shape[1] + 1, step)
    return replay(promise, minutes, [START + n * MINUTE for n in places], resolve_after=QUIET)


LEAD = 3 * 1440
PAIRS = [(pair, ratio) for pair in WORKBOOK.windows for ratio in (0.0011, 0.002, 0.005, 0.01, 0.05, 0.144, 0.5, 1.0)]


@pytest.mark.parametrize(("pair", "ratio"), PAIRS)
def test_detection_takes_as_long_as_the_workbook_says(pair: BurnWindow, ratio: float) -> None:
    """Google, The Site Reliability Workbook, chapter 5, "4: Alert on Burn Rate": detection time is (1 - SLO) / error ratio x
    alerting window size x burn rate; never, where the ratio stays below the rate. Pairs and shares: table 5-8."""
    promise = replace(slo(target=0.999), policy=BurnPolicy("one", (pair,)))
    factor = pair.factor(promise.window)
    expected = (1 - 0.999) / ratio * pair.long * factor
    length = LEAD + int(pair.long / MINUTE) + 60
    found = played(promise, constant(ratio, LEAD, length), begin=LEAD - 10).alerts
    # Both must be over it: the short one takes a twelfth of that.
    if ratio / 0.001 <= factor:
        assert found == ()
    else:
        waited = found[0].begin - (START + LEAD * MINUTE)
        assert expected < waited <= expected + 2 * MINUTE
        assert found[0].onset is not None
        assert START + LEAD * MINUTE <= found[0].onset <= START + LEAD * MINUTE + pair.short


def test_the_whole_policy_pages_and_tickets_in_the_workbooks_time() -> None:
    """100 % errors page after 52 s of the hour's 14.4 x 0.1 %, in steps of a minute the first; the page hides the ticket."""
    found = played(slo(target=0.999), constant(1.0, LEAD, LEAD + 120), begin=LEAD - 5).alerts
    assert [(a.severity, a.begin) for a in found] == [(Severity.PAGE, START + (LEAD + 1) * MINUTE)]


def test_an_alert_ends_when_it_was_quiet_long_enough() -> None:
    bad = np.zeros(1000)
    bad[500:510] = 5e5
    found = played(slo(target=0.999), minutes_of(1e6 - bad, bad)).alerts
    (page,) = [a for a in found if a.severity is Severity.PAGE]
    # One minute is 8 times too much for the hour, two are 16 times.
    assert page.begin == START + 502 * MINUTE
    # The 30 minutes of the slower pair still see it; the hour's 5 minutes don't.
    last_bad = 509
    assert page.end == START + (last_bad + 30 + 5) * MINUTE
    assert page.peak > 14.4


def test_silence_holds_an_alert() -> None:
    bad = np.zeros(600)
    bad[300:310] = 5e5
    good = np.where(np.arange(600) < 310, 1e6, 0.0)
    found = played(slo(target=0.999), minutes_of(good - bad, bad)).alerts
    (page,) = [a for a in found if a.severity is Severity.PAGE]
    assert page.end is None


def test_few_events_do_not_page_and_the_same_ratio_of_many_does() -> None:
    few, many = constant(0.02, 100, 160, traffic=0), constant(0.05, 100, 160, traffic=1000)
    few.good[0, 100] = 9
    few.bad[0, 100] = 1
    few.told[:] = True
    pages = [[a for a in played(slo(target=0.999), m).alerts if a.severity is Severity.PAGE] for m in (few, many)]
    # 1 of 10 is 100 times the allowed ratio, and its lower bound 1.0: not over 14.4.
    assert pages[0] == []
    assert pages[1]


def test_sampled_events_prove_as_much_as_were_kept() -> None:
    """The same sums: counted they page, of 200 events each they are one bad event and prove nothing."""
    bad = np.zeros(200)
    bad[100] = 200
    good = np.full(200, 200.0)
    paged = {
        weight: [
            a
            for a in played(slo(target=0.999), minutes_of(good - bad, bad, weight)).alerts
            if a.severity is Severity.PAGE
        ]
        for weight in (1.0, 200.0)
    }
    assert paged[1.0]
    assert paged[200.0] == []


def test_a_budget_is_spent_by_the_target_of_each_time() -> None:
    promise = replace(
        slo(), window=timedelta(hours=2), targets=(DatedTarget(START, 0.9), DatedTarget(START + HOUR, 0.99))
    )
    found = played(promise, minutes_of(np.full(120, 99.0), np.full(120, 1.0)))
    # 6,000 events at 10 % and 6,000 at 1 %, of 120 bad ones.
    assert found.remaining == pytest.approx(1 - 120 / (600 + 60))
    assert (found.good, found.bad) == (119 * 0 + 99 * 120, 120)


def test_unknown_counts_as_the_policy_says() -> None:
    minutes = minutes_of(np.full(60, 90.0), np.zeros(60))
    minutes.unknown[:] = 10
    spent = {policy: played(replace(slo(target=0.9), unknown=policy), minutes).remaining for policy in Unknown}
    assert spent == {Unknown.IGNORE: 1, Unknown.GOOD: 1, Unknown.BAD: pytest.approx(0)}


def test_thirty_days_by_the_minute_take_well_under_a_second() -> None:
    dice = np.random.default_rng(1)
    length = 60 * 1440
    bad = dice.poisson(0.2, length) + np.where(dice.random(length) < 0.001, 50, 0)
    minutes = minutes_of(dice.poisson(100, length).astype(float), bad.astype(float))
    began = time.perf_counter()
    found = played(slo(), minutes, begin=30 * 1440)
    took = time.perf_counter() - began
    print(f"30 days, 1 minute steps, 4 pairs: {took:.3f} s, {len(found.alerts)} alerts")
    assert found.alerts
    assert took < 1
