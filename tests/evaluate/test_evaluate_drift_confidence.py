"""Over-confidence and agreement with accuracy, from weighted sums."""

from __future__ import annotations

import numpy as np
import pytest

from sloengine.evaluate.drift.confidence import Agreement, Labelled, Sureness, agreement, confidence, sureness


def labelled(scores: np.ndarray, right: np.ndarray, weights: np.ndarray) -> Labelled:
    """Plain sums over predictions."""
    good, bad = weights[right], weights[~right]
    n = len(scores)
    sums = (float(w) for w in ((scores * weights).sum(), good.sum(), (good**2).sum(), bad.sum(), (bad**2).sum()))
    return Labelled(2 * n, n, n, *sums)


def drawn(n: int, sure: float, true: float, seed: int, weighted: bool = False) -> Labelled:
    dice = np.random.default_rng(seed)
    weights = dice.choice([1.0, 4.0], n) if weighted else np.ones(n)
    return labelled(np.clip(dice.normal(sure, 0.05, n), 0, 1), dice.random(n) < true, weights)


@pytest.mark.parametrize(
    ("sure", "true", "said"),
    [(0.93, 0.70, Sureness.OVER), (0.60, 0.85, Sureness.UNDER), (0.80, 0.80, Sureness.FITTING)],
)
def test_scores_are_held_against_how_often_they_are_right(sure: float, true: float, said: Sureness) -> None:
    found = confidence(drawn(500, sure, true, 1))
    assert found is not None
    assert found.sureness is said
    assert found.score == pytest.approx(sure, abs=0.01)
    assert found.low < found.accuracy < found.high


def test_too_few_labels_say_nothing_and_never_that_all_is_well() -> None:
    few = drawn(29, 0.9, 0.2, 2)
    assert confidence(few) is None
    assert (sureness(None), agreement(None, 0.9)) == (Sureness.UNKNOWN, Agreement.UNKNOWN)
    assert confidence(drawn(30, 0.9, 0.2, 2)) is not None


def test_the_interval_holds_the_truth_as_often_as_it_says_with_unequal_weights_too() -> None:
    held = []
    for seed in range(400):
        found = confidence(drawn(120, 0.8, 0.8, seed, weighted=True))
        assert found is not None
        held.append(found.low <= 0.8 <= found.high)
    assert 0.93 <= np.mean(held) <= 0.995


@pytest.mark.parametrize(
    ("true", "said"), [(0.70, Agreement.AGREES), (0.98, Agreement.DISAGREES), (0.9, Agreement.UNKNOWN)]
)
def test_accuracy_agrees_only_where_it_is_surely_below_what_was_promised(true: float, said: Agreement) -> None:
    assert agreement(confidence(drawn(300, 0.9, true, 3)), 0.9) is said
