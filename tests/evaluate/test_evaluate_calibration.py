"""Calibration: the error by its definition, and a verdict that noise alone does not bring about."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[import-untyped]

from sloengine.evaluate.calibration import Calibration, ScoreBin, Verdict, judge_calibration

SEED = 20261
EDGES = np.linspace(0, 1, 21)

held = st.tuples(st.floats(0.01, 1e6), st.floats(0, 1), st.floats(0, 1))
many_bins = st.lists(st.builds(lambda row: ScoreBin(row[0], row[0] * row[1], row[0] * row[2]), held), min_size=1)


def binned(scores: np.ndarray, correct: np.ndarray) -> list[ScoreBin]:
    index = np.minimum((scores * 20).astype(int), 19)
    columns = (np.bincount(index, w, 20) for w in (np.ones_like(scores), scores, correct.astype(float)))
    return [ScoreBin(*row) for row in np.array(list(columns)).T.tolist()]


def judged(rng: np.random.Generator, n: int, overconfident: float, threshold: float = 0.05) -> Calibration:
    """A classifier whose scores, mostly high, are too high by so much."""
    scores = rng.beta(8, 2, n)
    correct = rng.random(n) < np.clip(scores - overconfident, 0, 1)
    return judge_calibration(binned(scores, correct), n, threshold)


def test_the_error_is_the_weighted_distance_of_accuracy_and_score() -> None:
    found = judge_calibration([ScoreBin(100, 90, 80), ScoreBin(300, 150, 165), ScoreBin(0, 0, 0)], 400, 0.05)
    assert found.error == pytest.approx((10 + 15) / 400)
    assert found.labelled == 400


def test_the_expected_error_is_the_mean_of_the_binomial_distances() -> None:
    """Oracle: the sum over all outcomes of each bin."""
    bins = [ScoreBin(7, 6.3, 5), ScoreBin(20, 11, 10), ScoreBin(1, 0.2, 0), ScoreBin(5, 5, 5), ScoreBin(5, 0, 1)]
    shares = [(int(b.weight), b.scores / b.weight) for b in bins]
    plain = sum(sum(binom.pmf(x, n, p) * abs(x - n * p) for x in range(n + 1)) for n, p in shares) / 38
    assert judge_calibration(bins, 38, 0.05).expected == pytest.approx(plain)


def test_weights_change_nothing_but_the_number_of_labels_behind_them() -> None:
    bins = [ScoreBin(100, 90, 80), ScoreBin(300, 150, 165)]
    heavy = [ScoreBin(b.weight * 10, b.scores * 10, b.correct * 10) for b in bins]
    one, ten = judge_calibration(bins, 400, 0.05), judge_calibration(heavy, 400, 0.05)
    assert (one.error, one.expected, one.low, one.high) == pytest.approx((ten.error, ten.expected, ten.low, ten.high))
    assert one.verdict is ten.verdict


@pytest.mark.parametrize(
    ("case", "n", "overconfident", "verdict"),
    [
        ("perfect and enough labels", 5000, 0.0, Verdict.GOOD),
        ("perfect and few labels", 50, 0.0, Verdict.UNKNOWN),
        ("far off and enough labels", 2000, 0.2, Verdict.BAD),
        ("far off and hardly a label", 3, 0.2, Verdict.UNKNOWN),
    ],
)
def test_verdicts(case: str, n: int, overconfident: float, verdict: Verdict) -> None:
    assert judged(np.random.default_rng(SEED), n, overconfident).verdict is verdict, case


def test_without_labels_nothing_is_known() -> None:
    for bins in ([], [ScoreBin(0, 0, 0)]):
        assert judge_calibration(bins, 0, 0.05) == Calibration(None, None, 0, 1, Verdict.UNKNOWN, math.inf, 0)


@pytest.mark.parametrize("n", [30, 100, 1000])
def test_few_labels_make_a_perfect_model_look_wrong_by_what_is_expected_and_never_bad(n: int) -> None:
    rng = np.random.default_rng(SEED)
    found = [judged(rng, n, 0.0) for _ in range(1000)]
    errors = np.array([f.error for f in found], dtype=float)
    expected = np.array([f.expected for f in found], dtype=float)
    bad = np.mean([f.verdict is Verdict.BAD for f in found])
    print(f"seed {SEED}, n {n}: ECE {errors.mean():.4f}, expected {expected.mean():.4f}, bad {bad:.4f}")
    assert expected.mean() == pytest.approx(errors.mean(), rel=0.02)
    assert errors.mean() > 0.7 / math.sqrt(n)
    assert bad <= 0.01


@pytest.mark.parametrize("n", [30, 100, 1000])
@pytest.mark.parametrize("overconfident", [0.0, 0.05, 0.2])
def test_the_true_error_is_beyond_a_bound_in_at_most_1_of_20(n: int, overconfident: float) -> None:
    rng = np.random.default_rng(SEED)
    truth = judged(rng, 2_000_000, overconfident).error or 0.0
    found = [judged(rng, n, overconfident) for _ in range(1000)]
    below, above = (np.mean([f.low > truth for f in found]), np.mean([f.high < truth for f in found]))
    print(f"seed {SEED}, n {n}, off by {overconfident}: low above truth {below:.4f}, high below truth {above:.4f}")
    assert below <= 0.05 and above <= 0.06


def test_one_bin_has_the_half_normals_own_bound() -> None:
    """The gamma stands in for |noise|: its 95 % point is within 3 % of the normal's 97.5 %."""
    found = judge_calibration([ScoreBin(10_000, 5000, 6000)], 10_000, 0.0)
    assert 0.1 - found.low == pytest.approx(1.96 * 0.005, rel=0.03)


@given(many_bins, st.floats(1, 1e7), st.floats(0, 1), st.floats(0.5, 0.999))
def test_bounds_hold_the_error_and_agree_with_the_verdict(
    bins: list[ScoreBin], labelled: float, threshold: float, confidence: float
) -> None:
    found = judge_calibration(bins, labelled, threshold, confidence)
    assert found.error is not None and found.expected is not None
    assert 0 <= found.low <= found.error + 1e-12 and found.error <= found.high + 1e-12 and found.high <= 1
    assert (found.verdict is Verdict.BAD) == (found.low > threshold)
    assert 0 <= found.expected <= 1 + 1e-9
    if found.error > found.detectable * (1 + 1e-9):
        assert found.verdict is Verdict.BAD


@given(many_bins, st.floats(1, 1e6), st.integers(2, 50))
def test_more_labels_of_the_same_narrow_the_bounds(bins: list[ScoreBin], labelled: float, times: int) -> None:
    few, more = (judge_calibration(bins, n, 0.05) for n in (labelled, labelled * times))
    assert few.low <= more.low + 1e-9 and more.high <= few.high + 1e-9 and more.detectable <= few.detectable


@pytest.mark.parametrize(
    ("bins", "labelled", "threshold", "words"),
    [
        ([ScoreBin(10, 11, 5)], 10, 0.05, "sums of scores"),
        ([ScoreBin(10, 5, 11)], 10, 0.05, "sums of scores"),
        ([ScoreBin(10, float("nan"), 1)], 10, 0.05, "finite"),
        ([ScoreBin(10, 5, 5)], 0, 0.05, "do not go with 1 bins"),
        ([], 5, 0.05, "do not go with 0 bins"),
        ([ScoreBin(10, 5, 5)], 10, 5, "threshold"),
    ],
)
def test_impossible_input_is_refused(bins: list[ScoreBin], labelled: float, threshold: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        judge_calibration(bins, labelled, threshold)
