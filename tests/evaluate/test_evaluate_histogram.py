"""Exponential histograms: merging loses nothing, quantiles stay within the error they announce."""

import math
from collections import Counter

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sloengine.evaluate.histogram import merge, quantile, relative_error, summarise

values = st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=60)
scales = st.integers(-2, 8)
quantiles = st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0])


def index_of(value: float, scale: int) -> int:
    """The bucket (2^(i·2^-s), 2^((i+1)·2^-s)] of a value, found by its definition."""
    index = math.ceil(math.log2(value) * 2.0**scale) - 1
    while 2.0 ** (index * 2.0**-scale) >= value:
        index -= 1
    while 2.0 ** ((index + 1) * 2.0**-scale) < value:
        index += 1
    return index


def histogram(raw: list[float], scale: int) -> tuple[int, int, dict[int, int]]:
    return scale, raw.count(0.0), dict(Counter(index_of(v, scale) for v in raw if v > 0))


def true_quantile(raw: list[float], q: float) -> float:
    """The smallest value with at least the share q at or below it, from raw values; q counted in whole percent."""
    needed = max(1, -(-round(q * 100) * len(raw) // 100))
    return sorted(raw)[needed - 1]


@given(values, scales, quantiles)
@example([1.0, 2.0, 4.0], 3, 0.5)
@example([0.1] * 19 + [5.0], 6, 0.95)
def test_a_quantile_lies_within_the_announced_error_of_the_true_one(raw: list[float], scale: int, q: float) -> None:
    found = quantile(*histogram(raw, scale), q)
    true = true_quantile(raw, q)
    assert found is not None
    assert abs(found - true) / true <= relative_error(scale) * (1 + 1e-9)


@given(values, st.integers(1, 40))
def test_zeros_count_as_values_of_zero(raw: list[float], zeros: int) -> None:
    everything = raw + [0.0] * zeros
    found, true = quantile(*histogram(everything, 5), 0.5), true_quantile(everything, 0.5)
    assert (found == 0.0) is (true == 0.0)


@given(st.lists(st.tuples(values, scales), min_size=1, max_size=6), st.randoms())
def test_merge_order_does_not_matter(parts: list[tuple[list[float], int]], random: object) -> None:
    histograms = [histogram(raw, scale) for raw, scale in parts]
    shuffled = list(histograms)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(shuffled) == merge(histograms)


@given(values, values, values, scales)
def test_merging_in_steps_equals_merging_at_once(a: list[float], b: list[float], c: list[float], scale: int) -> None:
    first, second, third = histogram(a, scale), histogram(b, scale - 1), histogram(c, scale + 1)
    assert merge([merge([first, second]), third]) == merge([first, merge([second, third])])
    assert merge([merge([first, second]), third]) == merge([first, second, third])


@given(st.lists(st.tuples(values, scales), min_size=1, max_size=5))
def test_a_merge_equals_counting_all_values_again_at_the_coarsest_scale(parts: list[tuple[list[float], int]]) -> None:
    coarsest = min(scale for _, scale in parts)
    everything = [v for raw, _ in parts for v in raw]
    # A value within rounding of a bucket's edge may fall to either side of it at either scale.
    assume(all(abs(math.log2(v) * 2**10 - round(math.log2(v) * 2**10)) > 1e-6 for v in everything))
    assert merge(histogram(raw, scale) for raw, scale in parts) == histogram(everything, coarsest)


@pytest.mark.parametrize(
    ("case", "fine", "steps", "coarse"),
    [
        ("neighbours above one join in pairs", {0: 1, 1: 2, 2: 3}, 1, {0: 3, 1: 3}),
        ("below one they join downwards, not towards zero", {-1: 1, -2: 2, -3: 4}, 1, {-1: 3, -2: 4}),
        ("three steps join eight", {-9: 1, -8: 1, -1: 1, 0: 1, 7: 1, 8: 1}, 3, {-2: 1, -1: 2, 0: 2, 1: 1}),
    ],
)
def test_coarsening(case: str, fine: dict[int, int], steps: int, coarse: dict[int, int]) -> None:
    assert merge([(5, 0, fine), (5 - steps, 0, {})]) == (5 - steps, 0, coarse), case


def test_the_models_example_values_fall_where_the_data_model_says() -> None:
    assert histogram([1.0, 2.0, 4.0], 3)[2] == {-1: 1, 7: 1, 15: 1}


@given(values, scales)
def test_coarsening_keeps_every_count(raw: list[float], scale: int) -> None:
    _, zero, buckets = merge([histogram(raw, scale), (scale - 2, 3, {})])
    assert (zero, sum(buckets.values())) == (3, len(raw))


def test_nothing_has_no_quantile() -> None:
    assert quantile(3, 0, {}, 0.5) is None
    assert summarise([]) is None
    assert summarise([(3, 0, {}), (4, 0, {})]) is None


def test_the_error_halves_with_each_scale_and_is_below_one_percent_from_scale_six() -> None:
    assert relative_error(0) == pytest.approx(math.sqrt(2) - 1)
    assert all(relative_error(s + 1) < relative_error(s) for s in range(-4, 20))
    assert relative_error(6) < 0.01 < relative_error(5)


def test_a_summary_says_its_error_and_its_count() -> None:
    raw = [0.01 * n for n in range(1, 101)]
    found = summarise([histogram(raw[:50], 8), histogram(raw[50:], 7)])
    assert found is not None
    assert (found.count, found.error) == (100, relative_error(7))
    assert [found.p50, found.p95, found.p99] == [pytest.approx(t, rel=found.error) for t in (0.5, 0.95, 0.99)]
