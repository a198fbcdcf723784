"""Whether predictions are as sure as they are right, and whether accuracy says what drift says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sloengine.evaluate.interval import bad_ratio_interval

LABELLED_MIN = 30
"""Labelled predictions below which nothing is said: the interval of a ratio of fewer is a quarter wide."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Predictions of part of a fleet that were recorded, and what labels say of them."""

    recorded: int
    labelled: int
    used: int
    """Of these with a score, a class and a known weight."""
    scores: float
    """Sum of weight · score."""
    good: float
    """Sum of the weights of those that were right."""
    good_squares: float
    bad: float
    bad_squares: float


class Sureness(StrEnum):
    OVER = "over-confident"
    UNDER = "under-confident"
    FITTING = "as sure as right"
    UNKNOWN = "cannot_tell"


class Agreement(StrEnum):
    """What accuracy says of a drift."""

    AGREES = "agrees"
    """Accuracy is surely below what was promised."""
    DISAGREES = "disagrees"
    """It is surely not."""
    UNKNOWN = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Confidence:
    """Mean score and accuracy of what is labelled, with accuracy's interval of 95 %."""

    score: float
    accuracy: float
    low: float
    high: float

    @property
    def sureness(self) -> Sureness:
        """Scores are the probability of being right, if they are what they should be (calibration in the large)."""
        if self.score > self.high:
            return Sureness.OVER
        return Sureness.UNDER if self.score < self.low else Sureness.FITTING


def confidence(told: Labelled) -> Confidence | None:
    """None of too few labels."""
    weights = told.good + told.bad
    if told.used < LABELLED_MIN or weights <= 0:
        return None
    wrong = bad_ratio_interval(told.good, told.bad, told.good_squares, told.bad_squares)
    return Confidence(told.scores / weights, told.good / weights, 1 - wrong.high, 1 - wrong.low)


def sureness(found: Confidence | None) -> Sureness:
    return found.sureness if found else Sureness.UNKNOWN


def agreement(found: Confidence | None, target: float) -> Agreement:
    """Whether accuracy is surely below a target, surely at it, or neither."""
    if found is None:
        return Agreement.UNKNOWN
    if found.high < target:
        return Agreement.AGREES
    return Agreement.DISAGREES if found.low >= target else Agreement.UNKNOWN
