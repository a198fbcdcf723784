"""Whether a model's scores mean what they say: expected calibration error, and what of it is only noise. Pure.

Sources: Guo et al. 2017 (ECE: the mean distance between accuracy and mean score over bins of the score). That it is above 0 for a
perfectly calibrated model, the more so the fewer the labels: Kumar, Liang & Ma 2019; Roelofs et al. 2022. docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """Labelled predictions whose score lies in one bin, each with its sampling weight."""

    weight: float
    """Sum of weights."""
    scores: float
    """Sum of weight × score."""
    correct: float
    """Sum of weights of the correct ones."""


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected calibration error with what chance would make of it."""

    error: float | None
    """ECE in [0, 1]; None without labelled predictions."""
    expected: float | None
    """ECE to expect at this number of labels if every score were right."""
    low: float
    """The true ECE (of these bins) is above this, with the confidence asked for."""
    high: float
    """The true ECE (of these bins) is below this, with the confidence asked for."""
    verdict: Verdict
    detectable: float
    """ECE from which on the verdict would be bad at this number of labels; above 1: it can't be."""
    labelled: float


def judge_calibration(
    bins: Sequence[ScoreBin], labelled: float, threshold: float, confidence: float = 0.95
) -> Calibration:
    """ECE of given bins against a threshold: bad or good only if the bound on that side is beyond it, else unknown.

    ``labelled`` is the number of labelled predictions behind the bins; where their weights differ, the effective one. Raises
    ValueError for bins that no scores in [0, 1] can give.
    """
    if not 0 < confidence < 1 or not 0 <= threshold <= 1:
        raise ValueError("confidence must be between 0 and 1, threshold from 0 to 1")
    weight, scores, correct = _columns(bins)
    if (labelled > 0) != (weight.size > 0) or not np.isfinite(labelled):
        raise ValueError(f"{labelled} labelled predictions do not go with {weight.size} bins that hold some")
    if weight.size == 0:
        return Calibration(None, None, 0.0, 1.0, Verdict.UNKNOWN, float("inf"), 0.0)
    share, score, accuracy = weight / weight.sum(), scores / weight, correct / weight
    sizes = labelled * share
    error = float(np.sum(share * np.abs(accuracy - score)))
    noise = _noise_bound(share, _deviation(score, accuracy, sizes), confidence)
    low, high = max(0.0, error - noise), min(1.0, error + _sway(share, score, accuracy, sizes, confidence))
    expected = float(np.sum(share * _mean_distance(score, sizes)))
    return Calibration(error, expected, low, high, _verdict(low, high, threshold), threshold + noise, labelled)


def _verdict(low: float, high: float, threshold: float) -> Verdict:
    if low > threshold:
        return Verdict.BAD
    return Verdict.GOOD if high <= threshold else Verdict.UNKNOWN


def _columns(bins: Sequence[ScoreBin]) -> tuple[Floats, Floats, Floats]:
    """Weights, score sums and correct sums of the bins that hold anything, each of shape (bins,)."""
    columns = np.array([(b.weight, b.scores, b.correct) for b in bins], dtype=np.float64).reshape(-1, 3).T
    weight, scores, correct = columns
    # Sums of many scores may be off by rounding; more than that is a wrong sum.
    most = weight * (1 + 1e-9)
    if not np.all(np.isfinite(columns)) or not np.all((columns >= 0) & (columns <= most)):
        raise ValueError("a bin's sums of scores and of correct weights must be finite, from 0 to its sum of weights")
    held = weight > 0
    return weight[held], np.minimum(scores, weight)[held], np.minimum(correct, weight)[held]


def _mean_distance(p: Floats, n: Floats) -> Floats:
    """Mean of |X/n - p| of a binomial X of n: de Moivre's 2ν(1-p)·P(X=ν)/n with ν = ⌊np⌋ + 1 (Diaconis & Zabell 1991).

    p is a bin's mean score; scores that differ inside the bin only make the true mean a little smaller.
    """
    first = np.floor(n * p) + 1
    log = special.gammaln(n + 1) - special.gammaln(first + 1) - special.gammaln(n - first + 1)
    log += special.xlogy(first, p) + special.xlogy(n - first + 1, 1 - p)
    # Below one label (effective sizes may be) the formula is no mean any more; one label's 2p(1-p) is the most there is.
    return np.asarray(np.minimum(2 * first * np.exp(log) / n, 2 * p * (1 - p)), dtype=np.float64)


def _deviation(score: Floats, accuracy: Floats, sizes: Floats) -> Floats:
    """Standard deviation of a bin's accuracy, by its score or by its labels, whichever is greater.

    Two labels more, one of each kind, keep a bin of one kind only from looking certain (Agresti & Coull 1998).
    """
    seen = (accuracy * sizes + 1) / (sizes + 2)
    return np.asarray(np.sqrt(np.maximum(score * (1 - score), seen * (1 - seen)) / sizes), dtype=np.float64)


def _noise_bound(share: Floats, deviation: Floats, confidence: float) -> float:
    """What Σ share·|noise| stays below: a gamma with the mean and variance of that sum of half-normals.

    The true ECE is at least the one seen less this sum (triangle inequality), so no bias needs to be estimated.
    """
    mean = float(np.sum(share * deviation)) * np.sqrt(2 / np.pi)
    variance = float(np.sum((share * deviation) ** 2)) * (1 - 2 / np.pi)
    return float(special.gammaincinv(mean**2 / variance, confidence) * variance / mean)


def _sway(share: Floats, score: Floats, accuracy: Floats, sizes: Floats, confidence: float) -> float:
    """How far the ECE seen may lie below the true one: noise raises it on average, so only its own spread counts."""
    spread = np.sqrt(np.sum((share * _deviation(score, accuracy, sizes)) ** 2))
    return float(special.ndtri(confidence) * spread)
