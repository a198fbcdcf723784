"""Intervals of weighted ratios: exact where weights are equal, ordered and honest where they are not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import special  # type: ignore[import-untyped]
from scipy.stats import binomtest  # type: ignore[import-untyped]

from sloengine.evaluate import interval
from sloengine.evaluate.interval import (
    Interval,
    bad_ratio_bounds,
    bad_ratio_interval,
    effective_size,
    effective_sizes,
    lower_bound,
    lower_bounds,
    wilson,
    wilson_bounds,
)

CASES = [(0, 1), (1, 1), (0, 10), (1, 10), (5, 10), (10, 10), (3, 1000), (999, 1000), (1, 100_000), (700, 9000)]
counts = st.integers(0, 10**7)
weights = st.floats(1, 1000)
confidences = st.floats(0.5, 0.9999)
sides = st.lists(weights, max_size=30)


def sums(good: list[float], bad: list[float]) -> tuple[float, float, float, float]:
    return sum(good), sum(bad), sum(w * w for w in good), sum(w * w for w in bad)


def close(found: Interval, low: float, high: float, within: float) -> bool:
    return bool(np.allclose([found.low, found.high], [low, high], rtol=within, atol=1e-12))


@pytest.mark.parametrize(("bad", "n"), CASES)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy(bad: int, n: int, confidence: float) -> None:
    known = binomtest(bad, n).proportion_ci(confidence, "wilson")
    assert close(wilson(bad / n, n, confidence), known.low, known.high, 1e-9)


@pytest.mark.parametrize(("bad", "n"), CASES)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("weight", [1.0, 10.0, 2**56 / (2**56 - 2**55.9)])
def test_equal_weights_give_the_exact_interval_of_the_events_seen(
    bad: int, n: int, confidence: float, weight: float
) -> None:
    good = n - bad
    known = binomtest(bad, n).proportion_ci(confidence, "exact")
    found = bad_ratio_interval(good * weight, bad * weight, good * weight**2, bad * weight**2, confidence)
    assert close(found, known.low, known.high, 1e-8)


@pytest.mark.parametrize(("bad", "n"), CASES)
def test_the_guard_is_the_exact_one_sided_bound(bad: int, n: int) -> None:
    known = binomtest(bad, n, alternative="greater").proportion_ci(0.99, "exact")
    assert lower_bound(n - bad, bad, n - bad, bad) == pytest.approx(known.low, rel=1e-8)


def test_one_bad_of_one_is_no_page_at_burn_14_4_of_three_nines() -> None:
    line = 14.4 * (1 - 0.999)
    assert lower_bound(0, 1, 0, 1) == pytest.approx(0.01) and lower_bound(0, 1, 0, 1) < line
    assert lower_bound(0, 1, 0, 1, confidence=0.95) > line
    assert lower_bound(0, 2, 0, 2) > line


def test_an_outage_pages_after_few_events() -> None:
    """At one request a minute an hour holds 60: the fifth failure in a row is sure at 99 %."""
    line = 14.4 * (1 - 0.999)
    assert [lower_bound(60 - n, n, 60 - n, n) > line for n in range(1, 7)] == [False] * 4 + [True] * 2


def test_a_tail_sampler_that_kept_no_success_yet_does_not_make_errors_look_like_all_there_was() -> None:
    assert lower_bound(0, 5, 0, 5) > 0.3
    assert lower_bound(0, 5, 0, 5, good_weight=100) < 14.4 * (1 - 0.999)


def test_no_events_say_nothing() -> None:
    assert bad_ratio_interval(0, 0, 0, 0) == Interval(0.0, 1.0, 0.95)
    assert wilson(0.5, 0) == Interval(0.0, 1.0, 0.95)
    assert lower_bound(0, 0, 0, 0) == 0
    assert effective_size(0, 0, 0, 0) == 0


@pytest.mark.parametrize(
    ("case", "good", "bad", "size"),
    [
        ("exact counts are as many as they are", [1.0] * 90, [1.0] * 10, 100),
        ("head sampling at 10 % knows what the kept know", [10.0] * 90, [10.0] * 10, 100),
        # p = 1/2 and Var = (100·¼ + 10000·¼) / 200².
        ("one kept success stands for as many as all errors", [100.0], [1.0] * 100, 0.25 / (2525 / 40000)),
        ("none bad: Kish's size of what was seen", [100.0, 1.0], [], 101**2 / 10001),
    ],
)
def test_effective_sizes(case: str, good: list[float], bad: list[float], size: float) -> None:
    assert effective_size(*sums(good, bad)) == pytest.approx(size), case


def test_with_no_bad_event_the_size_depends_on_what_one_would_have_weighed() -> None:
    assert effective_size(1000, 0, 100_000, 0) == pytest.approx(10)
    assert effective_size(1000, 0, 100_000, 0, bad_weight=1) == pytest.approx(1000)


@given(st.lists(weights, min_size=1, max_size=30), st.lists(weights, min_size=1, max_size=30))
def test_the_effective_size_is_that_of_the_linearised_variance(good: list[float], bad: list[float]) -> None:
    """Oracle: the sum over events of (w·(y - p))² over (Σw)², event by event."""
    total, p = sum(good) + sum(bad), sum(bad) / (sum(good) + sum(bad))
    variance = sum((w * (0 - p)) ** 2 for w in good) + sum((w * (1 - p)) ** 2 for w in bad)
    assert effective_size(*sums(good, bad)) == pytest.approx(p * (1 - p) / (variance / total**2))


@given(sides, sides, confidences)
def test_bounds_are_ordered_inside_0_and_1_and_hold_the_ratio(
    good: list[float], bad: list[float], confidence: float
) -> None:
    found = bad_ratio_interval(*sums(good, bad), confidence)
    assert 0 <= found.low <= found.high <= 1
    if confidence >= 0.9 and good + bad:
        assert found.low - 1e-9 <= sum(bad) / (sum(good) + sum(bad)) <= found.high + 1e-9


@given(st.floats(0, 1), st.floats(0, 1e12), confidences)
@example(1.3563620230447846e-17, 1.0262481310652556, 0.5)
@example(1.0, 10.0, 0.5005001500750376)
def test_wilson_holds_its_ratio(p: float, n: float, confidence: float) -> None:
    found = wilson(p, n, confidence)
    assert 0 <= found.low <= p <= found.high <= 1


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(2, 10))
def test_more_of_the_same_narrows_every_bound(good: int, bad: int, times: int) -> None:
    few = bad_ratio_interval(good, bad, good, bad)
    more = bad_ratio_interval(good * times, bad * times, good * times, bad * times)
    assert few.low <= more.low + 1e-12 and more.high <= few.high + 1e-12
    assert lower_bound(good, bad, good, bad) <= lower_bound(*(times * s for s in (good, bad, good, bad))) + 1e-12
    p = bad / max(good + bad, 1)
    assert wilson(p, good + bad).low <= wilson(p, (good + bad) * times).low + 1e-12


@given(sides, st.lists(weights, min_size=1, max_size=30), confidences, st.floats(0.0001, 0.4))
def test_more_confidence_lowers_the_guard(good: list[float], bad: list[float], confidence: float, more: float) -> None:
    surer = min(confidence + more * (1 - confidence), 0.99999)
    assert lower_bound(*sums(good, bad), surer) <= lower_bound(*sums(good, bad), confidence) + 1e-12


def test_a_known_weight_of_one_outcome_moves_its_own_side_only() -> None:
    plain = bad_ratio_interval(90, 10, 90, 10)
    bad, good = (bad_ratio_interval(90, 10, 90, 10, **{name: 50}) for name in ("bad_weight", "good_weight"))
    assert bad.low == plain.low and bad.high > plain.high
    assert good.low < plain.low and good.high == plain.high


@given(sides, sides)
def test_the_interval_of_the_good_ratio_is_the_mirror(good: list[float], bad: list[float]) -> None:
    one, other = bad_ratio_interval(*sums(good, bad)), bad_ratio_interval(*sums(bad, good))
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)


@given(sides, sides, st.floats(1, 1000))
def test_a_heavier_event_that_may_be_unseen_only_widens(good: list[float], bad: list[float], weight: float) -> None:
    plain = bad_ratio_interval(*sums(good, bad), good_weight=1, bad_weight=1)
    wide = bad_ratio_interval(*sums(good, bad), good_weight=weight, bad_weight=weight)
    assert wide.low <= plain.low + 1e-9 and plain.high <= wide.high + 1e-9


def test_bounds_rise_with_each_bad_event_even_where_exactness_ends() -> None:
    bad = np.arange(interval.MANY - 3, interval.MANY + 4)
    good = np.full_like(bad, 10**7)
    low, high = bad_ratio_bounds(good, bad, good, bad)
    for bounds in (low, high, lower_bounds(good, bad, good, bad)):
        assert all(a < b for a, b in pairwise(bounds))


@pytest.mark.parametrize("tail", [0.0005, 0.01, 0.025])
@pytest.mark.parametrize("many", [interval.MANY, interval.MANY * 100])
@pytest.mark.parametrize("others", [interval.MANY, interval.MANY * 10_000])
def test_the_approximation_for_many_events_is_within_a_ten_thousandth_of_the_width(
    tail: float, many: float, others: float
) -> None:
    low, high = bad_ratio_bounds(others, many, others, many, 1 - 2 * tail)
    true_low = special.betaincinv(many, others + 1, tail)
    true_high = special.betaincinv(many + 1, others, 1 - tail)
    assert abs(low - true_low) + abs(high - true_high) <= 1e-4 * (true_high - true_low)


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=5), st.floats(1, 100))
def test_arrays_give_what_single_values_give(rows: list[tuple[int, int]], weight: float) -> None:
    good, bad = (np.array(column, dtype=float) * weight for column in zip(*rows, strict=True))
    four = (good, bad, good * weight, bad * weight)
    low, high = bad_ratio_bounds(*four)
    for i, one in enumerate(zip(*(column.tolist() for column in four), strict=True)):
        # numpy's powers of arrays and of single values may differ in the last bit.
        assert close(bad_ratio_interval(*one), low[i], high[i], 1e-12)
        assert lower_bound(*one) == pytest.approx(lower_bounds(*four)[i], rel=1e-12)
        assert effective_size(*one) == pytest.approx(effective_sizes(*four)[i], rel=1e-12)


def test_shapes_broadcast() -> None:
    low, _ = bad_ratio_bounds(np.ones((3, 1)), np.ones(4), 1.0, 1.0)
    assert low.shape == (3, 4)
    assert wilson_bounds(0.5, np.arange(5))[0].shape == (5,)


@pytest.mark.parametrize(
    ("four", "words"),
    [
        ((-1, 1, 1, 1), "good: .* not negative"),
        ((1, float("nan"), 1, 1), "bad: .* finite"),
        ((1, 1, 0, 1), "good: .* both"),
        ((1, 0, 1, 1), "bad: .* both"),
    ],
)
def test_sums_that_no_events_have_are_refused(four: tuple[float, float, float, float], words: str) -> None:
    for function in (bad_ratio_interval, lower_bound, effective_size):
        with pytest.raises(ValueError, match=words):
            function(*four)


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        lower_bound(1, 1, 1, 1, confidence=95)
    with pytest.raises(ValueError, match="confidence"):
        wilson(0.5, 10, 1)
    with pytest.raises(ValueError, match="p must be"):
        wilson(1.2, 10)
    with pytest.raises(ValueError, match="bad_weight"):
        effective_size(1, 0, 1, 0, bad_weight=0)
