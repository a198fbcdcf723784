"""How sure it is that a promise over nodes is broken: what guards pages of SLOs with a quantifier. Pure.

A page asks about these nodes, and all of them are seen: how many miss their bar would be known without any error if each
node's own ratio were (where the sample is the population no sampling error is left; Cochran 1977, ch. 2, the finite population
correction). What is uncertain is each node's ratio, from its own events. So a node is never taken for one event of its fleet,
and the more events it has the surer it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.interval import PAGE_CONFIDENCE, Floats, doubts, lower_bounds
from sloengine.model import Quantifier

MISS_DOUBT_MAX = 0.0001
"""A ratio pages over 6 or 14 times what is promised, but a node misses its bar over just what is promised, and is asked every
minute: with 1 % three nodes that keep to their bars exactly would begin to page every day (docs/statistics.md)."""


class Evidence(Protocol):
    """What nodes' own events know of a ratio over nodes, in some windows."""

    def at(self, place: int | NDArray[np.bool_]) -> Evidence:
        """Of some of the windows."""

    def surely_above(self) -> Floats:
        """The bound that a page needs over its line: what the true ratio is surely above."""


@dataclass(frozen=True, slots=True)
class OfPromise:
    """Nodes' sums behind a promise over them."""

    promise: Quantifier
    good: Floats
    """Shape (nodes, …), the rest being any windows; so are all of these."""
    bad: Floats
    good_squares: Floats
    bad_squares: Floats
    weights: Floats
    """What a good event of each node stands for where a longer window knows it, else 0."""

    def at(self, place: int | NDArray[np.bool_]) -> OfPromise:
        sums = (self.good, self.bad, self.good_squares, self.bad_squares, self.weights)
        return OfPromise(self.promise, *(part[:, place] for part in sums))

    def surely_above(self) -> Floats:
        seen = np.divide(self.bad_squares, self.bad, out=np.ones_like(self.bad), where=self.bad > 0)
        heaviest = np.where(self.weights > 0, self.weights, seen)
        sums = self.good, self.bad, self.good_squares, self.bad_squares
        valid = self.good + self.bad
        if self.promise.worst:
            return _worst(self.promise, sums, heaviest)
        each = doubts(*sums, 1 - self.promise.target, good_weight=heaviest)
        return _each_window(_missing, each, valid)


def _missing(each: Floats, valid: Floats) -> float:
    """The share of nodes of which so many at least surely miss their bar; those without events are unknown."""
    known = each[valid > 0]
    return surely_false(known, MISS_DOUBT_MAX) / len(known) if len(known) else 0.0


def surely_false(each: Floats, doubt_max: float) -> int:
    """How many of some claims are surely false, whichever they are; ``each``: their p-values, shape (claims,).

    That at least u of n are is a partial conjunction: it is shown if the claims left after the u-1 least likely ones are not all
    true (Benjamini & Heller 2008), here by Simes' test (1986), which holds for independent claims, as nodes' events are given
    their ratios. Bounds of 99 % on each claim by itself would find one false among a hundred true ones two times of three.
    """
    ordered = np.sort(each)

    def unsure(number: int) -> bool:
        left = ordered[number - 1 :]
        return bool(np.min(left * (len(left) / np.arange(1, len(left) + 1))) > doubt_max)

    # More are never surer than fewer, so halving finds the most.
    return bisect_left(range(1, len(ordered) + 1), True, key=unsure)


def _worst(promise: Quantifier, sums: tuple[Floats, Floats, Floats, Floats], heaviest: Floats) -> Floats:
    """What the bad ratio of the worst nodes together is surely above.

    They were chosen for looking bad, and one of many alike always does. Each node's bound therefore holds together with those of
    all (Bonferroni: a hundredth of the doubt for each of a hundred nodes), and so it does for whichever are chosen; the truly
    worst are no better than these.
    """
    valid = sums[0] + sums[1]
    ratios = np.divide(sums[1], valid, out=np.full_like(valid, -1.0), where=valid > 0)
    each = lower_bounds(*sums, 1 - (1 - PAGE_CONFIDENCE) / len(valid), good_weight=heaviest)

    def pooled(ratio: Floats, bound: Floats, events: Floats) -> float:
        heard = events > 0
        chosen = worst_of(ratio[heard], promise.share)
        return float(np.average(bound[heard][chosen], weights=events[heard][chosen])) if heard.any() else 0.0

    return _each_window(pooled, ratios, each, valid)


def _each_window(of: Callable[..., float], *parts: Floats) -> Floats:
    """A figure of each window, from arrays of shape (nodes, …)."""
    shape = parts[0].shape
    columns = [part.reshape(shape[0], -1).T for part in parts]
    found = [of(*own) for own in zip(*columns, strict=True)]
    return np.array(found, dtype=np.float64).reshape(shape[1:])


def worst_of(ratios: Floats, share: float) -> NDArray[np.intp]:
    """Places of the worst share of nodes, at least one; of equal ones the last."""
    return np.argsort(ratios, kind="stable")[-max(1, round(share * len(ratios))) :]
