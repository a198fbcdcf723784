"""Bins that two histograms share: counts held against values that were put into both by hand."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.evaluate.drift.histogram import (
    BUCKETS_MAX,
    Binned,
    Buckets,
    Exponential,
    Histogram,
    Unusable,
    bound,
    categories,
    explicit,
    exponential,
    shared,
)

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)
VALUES = st.lists(NUMBERS, min_size=1, max_size=30)
SCALES = st.integers(-2, 2)


def _index(value: float, scale: int) -> int:
    """By the definition: the greatest i with 2^(i·2^-s) < value, in whole arithmetic where a power is met."""
    guess = math.ceil(math.log2(value) * 2.0**scale) - 1
    return next(i for i in (guess - 1, guess, guess + 1) if bound(i, scale) < value <= bound(i + 1, scale))


def _put(values: Sequence[float], scale: int, threshold: float = 0.0) -> Exponential:
    sides = []
    for sign in (1, -1):
        held = Counter(_index(sign * v, scale) for v in values if sign * v > threshold)
        first, last = (min(held), max(held)) if held else (0, -1)
        sides.append(Buckets(first, tuple(float(held[i]) for i in range(first, last + 1))))
    zero = sum(abs(v) <= threshold for v in values)
    return exponential(scale, float(zero), threshold, *sides)


def _counted(values: Sequence[float], edges: Any) -> list[float]:
    return [float(sum(lo < v <= hi for v in values)) for lo, hi in itertools.pairwise(edges)]


def _explicit(bounds: Sequence[float], values: Sequence[float]) -> Binned:
    return explicit(bounds, _counted(values, [-math.inf, *bounds, math.inf]))


def test_powers_of_two_lie_where_the_data_model_says() -> None:
    assert [_index(x, 3) for x in (1.0, 2.0, 4.0)] == [-1, 7, 15]
    assert [bound(i, 3) for i in (0, 8, 16)] == [1.0, 2.0, 4.0]


@given(VALUES, VALUES, SCALES, SCALES)
def test_exponential_histograms_share_what_the_values_give(a: list[float], b: list[float], s: int, t: int) -> None:
    pair = shared(_put(a, s), _put(b, t))
    assert pair.edges is not None
    inner = list(itertools.pairwise(pair.edges))
    for values, counts in ((a, pair.baseline), (b, pair.current)):
        assert counts.sum() == len(values)
        for (lo, hi), count in zip(inner, counts, strict=True):
            # Negative buckets are mirrored: they include their lower bound.
            held = sum(lo < v <= hi for v in values) if hi > 0 else sum(lo <= v < hi for v in values)
            assert count == held, (lo, hi)
    swapped = shared(_put(b, t), _put(a, s))
    assert np.array_equal(swapped.current, pair.baseline) and np.array_equal(swapped.baseline, pair.current)


@given(VALUES, VALUES, st.floats(1e-3, 10))
def test_a_wider_bucket_of_zero_takes_in_whole_buckets(a: list[float], b: list[float], threshold: float) -> None:
    pair = shared(_put(a, 1), _put(b, 1, threshold))
    assert pair.edges is not None
    assert (pair.baseline.sum(), pair.current.sum()) == (len(a), len(b))
    zero = int(np.searchsorted(pair.edges, 0.0)) - 1
    grown = min(v for v in (threshold, *(bound(i, 1) for i in range(-40, 20))) if v >= threshold)
    upper = next((bound(i, 1) for i in range(-40, 20) if bound(i, 1) >= threshold), threshold)
    for values, counts in ((a, pair.baseline), (b, pair.current)):
        at_least, at_most = (sum(abs(v) <= limit for v in values) for limit in (grown, upper))
        assert at_least <= counts[zero] <= at_most


def test_buckets_far_apart_are_joined_until_they_fit() -> None:
    pair = shared(_put([1e-3, 1e3], 8), _put([2e-3, 5e5], 8))
    assert pair.bins <= BUCKETS_MAX + 1
    assert (pair.baseline.sum(), pair.current.sum()) == (2, 2)
    assert "scale 3" in pair.note


def test_explicit_bounds_that_differ_are_joined_to_those_of_both() -> None:
    values, others = [0.5, 1.0, 1.5, 2.5, 9.0], [0.1, 2.0, 2.2, 3.0]
    pair = shared(
        explicit([1, 2, 3], _counted(values, [-math.inf, 1, 2, 3, math.inf])),
        explicit([0, 1, 3], _counted(others, [-math.inf, 0, 1, 3, math.inf])),
    )
    assert pair.edges is not None
    assert pair.edges.tolist() == [-math.inf, 1, 3, math.inf]
    assert pair.baseline.tolist() == _counted(values, pair.edges)
    assert pair.current.tolist() == _counted(others, pair.edges)
    assert pair.note == "joined to the 3 bins that both have"


def test_an_exponential_histogram_meets_an_explicit_one_at_powers_of_two_and_at_zero() -> None:
    values = [-3.0, 0.0, 0.7, 1.0, 1.2, 5.0]
    bounds = [0.0, 1.0, 1.7, 4.0]
    pair = shared(_put(values, 0), _explicit(bounds, values))
    assert pair.edges is not None
    assert pair.edges.tolist() == [-math.inf, 0, 1, 4, math.inf]
    assert pair.baseline.tolist() == pair.current.tolist() == _counted(values, pair.edges)


def test_categories_are_held_side_by_side_whoever_has_them() -> None:
    pair = shared(categories({"a": 1, "b": 2}), categories({"c": 3, "a": 4}))
    assert (pair.labels, pair.baseline.tolist(), pair.current.tolist()) == (("a", "b", "c"), [1, 2, 0], [4, 0, 3])
    assert pair.edges is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: explicit([], [1]), "bounds are empty"),
        (lambda: explicit([1, math.nan], [1, 2, 3]), r"bounds\[1\] is nan"),
        (lambda: explicit([1, math.inf], [1, 2, 3]), r"bounds\[1\] is inf"),
        (lambda: explicit([1, 3, 2], [1, 2, 3, 4]), r"bounds\[2\] is 2 after 3"),
        (lambda: explicit([1, 1], [1, 2, 3]), r"bounds\[1\] is 1 after 1"),
        (lambda: explicit([1, 2], [1, 2]), "2 counts do not go with 2 bounds"),
        (lambda: explicit([1], [1, -2]), r"counts\[1\] is -2"),
        (lambda: explicit([1], [1, math.nan]), r"counts\[1\] is nan"),
        (lambda: exponential(21), "scale is 21"),
        (lambda: exponential(-11), "scale is -11"),
        (lambda: exponential(0, -1), "zero_count is -1"),
        (lambda: exponential(0, 0, math.nan), "zero_threshold is nan"),
        (lambda: exponential(0, 0, 0, Buckets(0, (1, -1))), r"positive.counts\[1\] is -1"),
        (lambda: exponential(0, 0, 0, Buckets(2**40, (1,))), "positive.offset"),
        (lambda: exponential(0, 0, 0, None, Buckets(5000, (1,))), "negative buckets reach beyond"),
        (lambda: categories({"a": -1}), r"categories\['a'\] is -1"),
        (lambda: shared(categories({"a": 1}), explicit([1], [1, 2])), "no bins in common"),
        (lambda: shared(explicit([1.1], [1, 2]), explicit([1], [1, 2])), "no edge in common"),
    ],
)
def test_what_says_nothing_is_named_with_its_place(make: Callable[[], Histogram], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        make()


def test_indices_a_billion_apart_are_joined_without_laying_them_out() -> None:
    low, high = (exponential(20, 0, 0, Buckets(at, (1.0,))) for at in (-(2**29), 2**29))
    pair = shared(low, high)
    assert pair.bins <= BUCKETS_MAX + 1
    assert (pair.baseline.sum(), pair.current.sum()) == (1, 1)
    assert not np.any((pair.baseline > 0) & (pair.current > 0))
