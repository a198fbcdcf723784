"""A real, small model: logistic regression on scikit-learn's bundled digits, stored as a file that a device loads and checks."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEDIAN_INK = 0.3057
"""Mean grey value of the middle one of all images."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model file and what the registry knows of it."""

    version: str
    data: bytes
    sha256: str
    accuracy: float


def images() -> tuple[Floats, NDArray[np.int64]]:
    """1,797 images of 64 grey values in [0, 1], and their digits."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.asarray(digits.data, dtype=np.float64) / 16.0, np.asarray(digits.target, dtype=np.int64)


def stroke_of(image: Floats) -> str:
    """Whether a digit is written with less ink than most: what accuracy and scores are told apart by."""
    return "thin" if image.mean() < MEDIAN_INK else "bold"


def train(version: str, samples: int) -> Trained:
    """Fit on the first ``samples`` images; accuracy is of the last 400, which no version sees.

    Regularised so weakly that scores mean what they say: their expected calibration error over all images is about 0.03.
    """
    from sklearn.linear_model import LogisticRegression

    x, y = images()
    model = LogisticRegression(max_iter=400, C=6).fit(x[:samples], y[:samples])
    accuracy = float(model.score(x[-400:], y[-400:]))
    buffer = io.BytesIO()
    np.savez(buffer, weights=model.coef_, bias=model.intercept_)
    data = buffer.getvalue()
    return Trained(version, data, hashlib.sha256(data).hexdigest(), accuracy)


class Classifier:
    """What runs on the device. Loading fails on a damaged file, as it must."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.weights: Floats = arrays["weights"]
            self.bias: Floats = arrays["bias"]

    def predict(self, image: Floats) -> tuple[int, float]:
        """The digit and the probability of it (softmax)."""
        logits = self.weights @ image + self.bias
        odds = np.exp(logits - logits.max())
        best = int(odds.argmax())
        return best, float(odds[best] / odds.sum())

    def predict_all(self, pictures: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Digits and their probabilities of many images, shape (n, 64)."""
        answers = [self.predict(picture) for picture in pictures]
        return np.array([digit for digit, _ in answers]), np.array([score for _, score in answers])
