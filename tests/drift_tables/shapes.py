"""Distributions that histograms are drawn from: without drift, and moved by a stated PSI."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize, stats

from sloengine.evaluate.drift.histogram import Floats
from tests.drift_tables.run import psi_of

SHAPES = ("flat", "geometric", "peaked")


def shape(kind: str, bins: int) -> Floats:
    """Shares of so many bins."""
    place = np.arange(bins)
    match kind:
        case "flat":
            weight = np.ones(bins)
        case "geometric":
            # From the first bin to the last a factor of 100, however many there are.
            weight = 100.0 ** (-place / max(1, bins - 1))
        case _:
            # A confident model: nearly all in the topmost sixteenth of the range, the rest nearly empty.
            weight = np.where(place >= bins - max(1, bins // 16), 1.0, 0.01 / bins)
    return np.asarray(weight / weight.sum())


def edges_of(bins: int) -> Floats:
    return np.concatenate([[-np.inf], np.linspace(0, 1, bins + 1)[1:-1], [np.inf]])


def normal(bins: int, moved: float = 0.0) -> Floats:
    """N(moved, 1) over equal bins from -3 to 3, open at both ends."""
    edges = np.concatenate([[-np.inf], np.linspace(-3, 3, bins + 1)[1:-1], [np.inf]])
    return np.asarray(np.diff(stats.norm.cdf(edges - moved)))


def bumps(bins: int, moved: float = 0.0) -> Floats:
    """Two bumps at 0.3 and 0.7 of [0, 1]; the first holds half of the events, plus what moved."""
    edges = edges_of(bins)
    low, high = (np.diff(stats.norm.cdf(edges, centre, 0.1)) for centre in (0.3, 0.7))
    share = 0.5 + moved
    return np.asarray(share * low + (1 - share) * high)


MOVES: dict[str, tuple[Callable[..., Floats], float]] = {
    "location of a normal": (normal, 3.0),
    "mix of two bumps": (bumps, 0.499),
}
"""Distribution by how much it moved, and the most that it can."""


def moved_by(kind: str, bins: int, size: float) -> tuple[Floats, Floats]:
    """Shares before and after a shift whose PSI over these very bins is ``size``."""
    made, most = MOVES[kind]
    before = made(bins)
    by = optimize.brentq(lambda moved: psi_of(before, made(bins, moved)) - size, 0.0, most)
    return before, made(bins, by)
