"""PSI and what may be concluded from it."""

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from sloengine.evaluate.drift.hourly import band, drift_index
from sloengine.evaluate.drift.joining import full_bins

# From an independent implementation: FACTS of the project, checked with scipy and evidently on the same bins.
REFERENCE = [120, 230, 300, 200, 100, 50, 0]
CURRENT = [60, 180, 310, 250, 130, 60, 10]
COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=20)


def merged(reference: list[int], current: list[int]) -> tuple[list[float], list[float]]:
    base, now = full_bins(np.array(reference, dtype=float), np.array(current, dtype=float))
    return base.tolist(), now.tolist()


@given(COUNTS, st.data())
def test_merging_keeps_every_event_and_leaves_no_thin_bin(reference: list[int], data: st.DataObject) -> None:
    current = data.draw(st.lists(st.integers(0, 500), min_size=len(reference), max_size=len(reference)))
    base, now = merged(reference, current)
    if not base:
        assert min(sum(reference), sum(current)) < 5
        return
    assert (sum(base), sum(now)) == (sum(reference), sum(current))
    edges = {0, *accumulate(reference)}
    assert set(accumulate(base)) <= edges
    n = min(sum(now), sum(base))
    assert all(count * n / sum(base) >= 5 - 1e-9 for count in base)


def test_what_is_seen_now_does_not_choose_the_bins() -> None:
    reference = [1000, 3, 2, 1000, 1000]
    assert merged(reference, [10, 10, 10, 10, 10])[0] == merged(reference, [50, 0, 0, 0, 0])[0]


def test_the_critical_value_is_that_of_chi_square() -> None:
    index = drift_index([500] * 10, [50] * 10)
    assert index is not None
    assert index.critical == pytest.approx(stats.chi2.ppf(0.99, 9) * (1 / 500 + 1 / 5000), rel=1e-9)


def test_too_few_events_for_two_bins_tell_nothing() -> None:
    assert drift_index([500] * 10, [1] * 4 + [0] * 6) is None
    assert drift_index([0] * 10, [10] * 10) is None
    assert band(None, (0.1, 0.25)) == (-math.inf, math.inf)


def test_a_peaked_score_without_drift_is_significant_one_time_in_a_hundred() -> None:
    """Without merging it is one in six: half an event in seventeen bins that nearly nobody scores is a lot of 50."""
    dice = np.random.default_rng(3)
    shares = np.r_[np.full(17, 1e-4), 0.1, 0.3, 0.6]
    shares /= shares.sum()
    reference = [float(c) for c in dice.multinomial(10**6, shares)]
    alarms = 0
    for counts in dice.multinomial(50, shares, size=2000):
        index = drift_index(reference, [float(c) for c in counts])
        assert index is not None
        alarms += index.psi > index.critical
    assert alarms / 2000 < 0.02


@pytest.mark.parametrize(
    ("reference", "current", "said"),
    [
        ([5000] * 10, [500] * 10, (-math.inf, 0.1)),
        ([5000] * 10, [20] * 9 + [1820], (0.25, math.inf)),
        ([5000] * 10, [60] * 5 + [140] * 5, (0.1, 0.25)),
        ([5000] * 10, [10] * 10, (-math.inf, 0.25)),
        ([5000] * 10, [6] * 10, (-math.inf, math.inf)),
        ([5000] * 10, [3] * 5 + [8] * 5, (-math.inf, math.inf)),
    ],
    ids=[
        "much and unchanged is under every cut",
        "much and changed is over every cut",
        "between two cuts",
        "too few to be under the lower cut",
        "too few to tell anything",
        "over a cut, but not significantly",
    ],
)
def test_a_slice_is_over_or_under_a_cut_only_where_that_could_be_told(
    reference: list[float], current: list[float], said: tuple[float, float]
) -> None:
    assert band(drift_index(reference, current), (0.1, 0.25)) == said
