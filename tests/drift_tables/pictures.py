"""A classifier of scikit-learn's digits, and its held-out images under corruptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sloengine.edge.contract import SCORE_BOUNDS
from sloengine.evaluate.drift.histogram import Floats
from sloengine.gameday.classifier import images
from tests.drift_tables.run import dice

TRAIN, VALIDATION = 600, 600
"""Images; the rest is the stream."""
COPIES = 4
"""Of every image, with noise of its own."""
EDGES = np.array([-np.inf, *SCORE_BOUNDS, np.inf])
CLASSES = 10
CORRUPTIONS: Mapping[str, tuple[float, ...]] = {
    "noise, standard deviation": (0.1, 0.2, 0.4),
    "blur, standard deviation in pixels": (0.4, 0.7, 1.0),
    "darker, grey values times": (0.7, 0.5, 0.3),
    "brighter, grey values plus": (0.1, 0.3, 0.5),
    "rotation, degrees": (10, 20, 40),
    "label mix, share of eights": (0.2, 0.5, 0.9),
    "label mix, share of zeros": (0.2, 0.5, 0.9),
    "noise of 0.2 hidden by a share of zeros": (0.3, 0.5, 0.7),
    "what is true of so many digits": (2, 4, 10),
}
MIXED = {"label mix, share of eights": 8, "label mix, share of zeros": 0, "noise of 0.2 hidden by a share of zeros": 0}
HIDDEN_NOISE = 0.2
UNDRIFTED = ("none", 0.0)


@dataclass(frozen=True, slots=True)
class Pool:
    """Predictions that events are drawn from, with how likely each is drawn."""

    scores: Floats
    predicted: NDArray[np.int64]
    truth: NDArray[np.int64]
    weights: Floats

    @property
    def accuracy(self) -> float:
        return float(self.weights @ (self.predicted == self.truth))

    @property
    def mean_score(self) -> float:
        return float(self.weights @ self.scores)

    def by_score(self) -> Floats:
        """Shares of the bins that devices report; a bin includes its upper bound."""
        return np.bincount(np.searchsorted(SCORE_BOUNDS, self.scores), self.weights, len(SCORE_BOUNDS) + 1)

    def by_class(self) -> Floats:
        return np.bincount(self.predicted, self.weights, CLASSES)


@cache
def _parts() -> tuple[tuple[Floats, NDArray[np.int64]], ...]:
    x, y = images()
    order = dice("split").permutation(len(x))
    cuts = (order[:TRAIN], order[TRAIN : TRAIN + VALIDATION], order[TRAIN + VALIDATION :])
    return tuple((x[part], y[part]) for part in cuts)


@cache
def _model() -> Any:
    from sklearn.linear_model import LogisticRegression

    x, y = _parts()[0]
    return LogisticRegression(max_iter=400, C=6).fit(x, y)


def held_out() -> int:
    return len(_parts()[2][0])


@cache
def validation() -> Pool:
    """Every image once."""
    return _pool(*_parts()[1])


@cache
def stream(kind: str, strength: float) -> Pool:
    """Held-out images, corrupted."""
    x, y = _parts()[2]
    if kind.startswith("noise"):
        x, y = np.tile(x, (COPIES, 1)), np.tile(y, COPIES)
    pool = _pool(corrupted(x, kind, strength), y)
    if kind in MIXED:
        wanted = y == MIXED[kind]
        return replace(pool, weights=np.where(wanted, strength / wanted.sum(), (1 - strength) / (~wanted).sum()))
    if kind.startswith("what is true"):
        # Image and answer are as they were; each of these digits now counts as the next.
        return replace(pool, truth=np.where(y < strength, (y + 1) % int(strength), y))
    return pool


def corrupted(x: Floats, kind: str, strength: float) -> Floats:
    pictures = x.reshape(-1, 8, 8)
    match kind.replace(",", " ").split(maxsplit=1)[0]:
        case "noise":
            deviation = HIDDEN_NOISE if kind in MIXED else strength
            pictures = pictures + dice(kind, strength).normal(0, deviation, pictures.shape)
        case "blur":
            pictures = ndimage.gaussian_filter(pictures, (0, strength, strength))
        case "darker":
            pictures = pictures * strength
        case "brighter":
            pictures = pictures + strength
        case "rotation":
            pictures = ndimage.rotate(pictures, strength, axes=(1, 2), reshape=False, order=1)
    return np.clip(pictures, 0, 1).reshape(len(x), 64)


def _pool(x: Floats, y: NDArray[np.int64]) -> Pool:
    odds = _model().predict_proba(x)
    return Pool(odds.max(axis=1), odds.argmax(axis=1), y, np.full(len(x), 1 / len(x)))
