"""Which of many series surely moved, when they are all looked at, again and again. Pure.

Within a look the false discovery rate is controlled over all series of all levels (Benjamini & Hochberg 1995; a node's series
and its region's share events and depend positively, under which it holds: Benjamini & Yekutieli 2001). Over looks the probability
is spent evenly: a week's ``false_alarms`` over the looks of a week. Where nothing drifts, a look at level a then finds anything
at all with a probability of at most a, so that a whole week does with at most ``false_alarms``, whatever looks have in common:
they share their baseline, and no sequential test of independent looks would hold. The price is small: p has to be 168 times
smaller.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WEEK = timedelta(days=7)


def level_of_look(false_alarms: float, every: timedelta) -> float:
    """What one of the looks of a week may spend."""
    return false_alarms * (every / WEEK)


def q_values(p: Floats) -> Floats:
    """The smallest level at which each would be discovered, shape as p; NaN stays and is not counted."""
    q = np.full(p.shape, np.nan)
    told = np.flatnonzero(~np.isnan(p))
    order = told[np.argsort(p[told], kind="stable")]
    adjusted = p[order] * (len(order) / np.arange(1, len(order) + 1))
    # As small as that of any larger p.
    q[order] = np.minimum(1.0, np.minimum.accumulate(adjusted[::-1])[::-1])
    return q
