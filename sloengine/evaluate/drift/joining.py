"""Neighbouring bins joined until the baseline expects enough events in each (Cochran 1954). Pure.

By the baseline alone, so that what is seen now cannot choose its own bins; what is left over joins the last one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXPECTED_MIN = 5.0
"""Events that the baseline must expect in a bin, at the smaller sample."""


def needed(n: Floats, m: Floats) -> Floats:
    """Events of the baseline, of m, that make a bin full beside n events; endless where there are none."""
    few = np.minimum(n, m)
    return np.asarray(np.divide(EXPECTED_MIN * m, few, out=np.full(np.shape(few), np.inf), where=few > 0))


def join(base: Floats, now: Floats, need: Floats) -> Ints:
    """Join the bins of S series in place, shapes (B, S): what was joined is where the last of it was, the others are 0.

    Returns:
        Bins that are left of each series, shape (S,); 0 of one that is not full enough for any, whose counts then mean nothing.
    """
    last = len(base) - 1
    for at in range(last):
        series = (base[at] < need).nonzero()[0]
        if series.size:
            _carry(base, now, series, at)
    over = np.flatnonzero(base[last] < need)
    bins: Ints = np.count_nonzero(base, axis=0)
    if over.size:
        full = base[:last, over] > 0
        some = full.any(axis=0)
        ends = last - 1 - np.argmax(full[::-1], axis=0) if last else np.zeros(over.size, dtype=np.int64)
        bins[over] = np.count_nonzero(full, axis=0)
        for counts in (base, now):
            counts[ends[some], over[some]] += counts[last, over[some]]
            counts[last, over[some]] = 0.0
    return bins


def _carry(base: Floats, now: Floats, series: Ints, at: int) -> None:
    """Of some series to the next bin."""
    for counts in (base, now):
        here = counts[at]
        counts[at + 1][series] += here[series]
        here[series] = 0.0


def full_bins(base: Floats, now: Floats) -> tuple[Floats, Floats]:
    """One pair's bins, shapes (B,), joined until they are full, (k,); none if there are too few events for one."""
    b, c = base[:, None].astype(np.float64), now[:, None].astype(np.float64)
    bins = join(b, c, needed(c.sum(axis=0), b.sum(axis=0)))
    left = np.flatnonzero(b[:, 0])[: int(bins[0])]
    return b[left, 0], c[left, 0]


def groups(base: Floats, n: float) -> Ints:
    """To which joined bin each bin of one baseline belongs, beside n events; shape (B,); empty if there is not even one."""
    joined = base[:, None].astype(np.float64)
    bins = int(join(joined, np.zeros_like(joined), needed(np.array([n]), joined.sum(axis=0)))[0])
    if not bins:
        return np.zeros(0, dtype=np.int64)
    ends = joined[:, 0] > 0
    return np.asarray(np.minimum(np.cumsum(ends) - ends, bins - 1))
