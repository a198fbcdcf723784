"""What the world does to pictures after the models were trained: the drift that the demo plants."""

from __future__ import annotations

import numpy as np

from sloengine.gameday.classifier import Floats

GRAIN = 0.23
"""Standard deviation of what coarse paper adds to each grey value. Version 1 then reads 87 of 100 thin digits instead of 93
and is less sure of all of them: a PSI of 0.24 in their scores, of 0.06 in the scores of all digits."""


def coarse_paper(pictures: Floats, dice: np.random.Generator) -> Floats:
    """The same digits, one or many, on paper whose grain is in the picture."""
    return np.clip(pictures + dice.normal(0.0, GRAIN, pictures.shape), 0.0, 1.0)
