"""What a fleet's looks may find by chance: false discovery rates, and the run length of cumulative sums."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from sloengine.evaluate.drift.discovery import level_of_look, q_values
from sloengine.evaluate.drift.sequential import (
    ALLOWANCE,
    BASELINE_DEVIATES,
    INFLATION_DEVIATES,
    Sums,
    limit_for,
    run_length,
    step,
)


def test_q_is_that_of_scipy_and_of_what_was_not_told_there_is_none() -> None:
    p = np.random.default_rng(1).beta(0.4, 1, size=500)
    p[::7] = np.nan
    found = q_values(p)
    told = ~np.isnan(p)
    assert found[told] == pytest.approx(stats.false_discovery_control(p[told], method="bh"))
    assert np.isnan(found[~told]).all()
    assert q_values(np.array([])).size == 0
    assert q_values(np.array([0.2, 0.2, 1.0])).tolist() == pytest.approx([0.3, 0.3, 1.0])


def test_a_weeks_looks_spend_what_a_week_may() -> None:
    hourly = level_of_look(0.05, timedelta(hours=1))
    assert 168 * hourly == pytest.approx(0.05)
    assert 7 * level_of_look(0.05, timedelta(days=1)) == pytest.approx(0.05)


def looks(limit: float, drift: float, seed: int, size: int = 2000) -> float:
    """Mean looks until the alarm, of series whose z has this mean."""
    dice, sums, until = np.random.default_rng(seed), Sums.fresh(size), np.zeros(size)
    running = np.ones(size, dtype=bool)
    endless = np.full(size, 1e12)
    for look in range(1, 100_000):
        p = stats.norm.sf(dice.normal(drift, 1, size=size))
        sums = step(sums, p, np.ones(size), endless, np.ones(size))
        over = running & (sums.sums > limit)
        until[over] = look
        running &= ~over
        if not running.any():
            break
    return float(until.mean())


@pytest.mark.parametrize("limit", [2.0, 3.5])
def test_the_run_length_without_drift_is_as_stated(limit: float) -> None:
    assert looks(limit, 0.0, 1) == pytest.approx(run_length(limit), rel=0.1)


def test_a_small_lasting_drift_is_found_long_before_chance_would_be() -> None:
    limit = limit_for(1e7)
    assert run_length(limit) == pytest.approx(1e7)
    # Wald: about the limit over what a look adds.
    assert looks(limit, 1.5, 2) == pytest.approx(limit / (1.5 - ALLOWANCE), rel=0.15)


def test_a_look_that_says_nothing_leaves_the_sum_and_calm_ends_it() -> None:
    one = np.ones(3)
    begun = step(Sums.fresh(3), np.array([1e-6, 1e-6, 0.5]), one, one * 1e9, one)
    assert begun.looks.tolist() == [1, 1, 0]
    later = step(begun, np.array([np.nan, 1 - 1e-9, 1e-6]), one, one * 1e9, one)
    assert later.sums[0] == begun.sums[0]
    assert later.looks.tolist() == [1, 0, 1]


def test_a_baseline_as_small_as_a_look_is_given_room() -> None:
    p = np.full(2, stats.norm.sf(2.0))
    sums = step(Sums.fresh(2), p, np.ones(2), np.array([1.0, 1e9]), np.ones(2)).sums
    assert sums[0] == 0
    assert sums[1] == pytest.approx(2.0 - ALLOWANCE, abs=1e-6)


def test_an_inflation_that_is_unsure_is_given_room() -> None:
    p, part = np.full(3, stats.norm.sf(2.0)), 4.0 / (4.0 + 164.0)
    sums = step(Sums.fresh(3), p, np.full(3, 4.0), np.array([164.0, 164.0, 1e12]), np.array([1.0, 4.0, 4.0])).sums
    assert sums[0] == pytest.approx(2.0 - ALLOWANCE - BASELINE_DEVIATES * part)
    assert sums[0] - sums[1] == pytest.approx(INFLATION_DEVIATES * 0.75 * part**0.5)
    assert sums[2] == pytest.approx(2.0 - ALLOWANCE, abs=1e-4)


def test_what_was_an_impossible_look_counts_as_a_bounded_one() -> None:
    sums = step(Sums.fresh(1), np.zeros(1), np.ones(1), np.full(1, 1e12), np.ones(1)).sums
    assert np.isfinite(sums).all()
